// Calls at their times, and what became of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "bench/call_pipe.hpp"
#include "bench/options.hpp"
#include "bench/progress.hpp"
#include "bench/tally.hpp"
#include "dev/interrupts.hpp"
#include "failure.hpp"

namespace busbar::cli {

struct BenchResult {
  Tally tally;
  Histogram::Duration measured{};  ///< how long it was called for that; less than asked for where it was broken off
  std::uint64_t begun = 0;         ///< meanwhile
  bool interrupted = false;
  std::optional<Failure> broken_off;  ///< why it could not go on
};

/// Warms up, measures, and waits for the last answers; a signal ends it early, a second one at once.
///
/// With a rate a call is due at a fixed time, whatever became of those before, and how long it took counts from then: a
/// host that stops for a moment is charged with all the calls that were due meanwhile, though they could not be sent.
/// Without one a call is due when a caller is free.
/// Ownership: all that it is given outlives it. Threads: one.
class Driver {
 public:
  /// `timeout_ms`: of a call, where one is given.
  Driver(const BenchOptions& options, std::optional<std::uint32_t> timeout_ms, CallPipe& pipe, Interrupts& interrupts,
         Progress& progress);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// Once. Errors: Failure where it could not go on before anything was measured; of status service_unavailable where
  /// that is the first answer.
  BenchResult run();

 private:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  struct Caller {
    std::uint64_t number = 0;  // of its call that is under way; 0: it is free
    Time due;
  };

  void call_until_over();
  bool is_over(Time now) const;
  void begin_due(Time now);
  void begin(Time due, Time now);
  void wait();
  Time wakes_at(Time now) const;
  void take();
  void take(const wire::AdminAnswer& answer, Time now);
  void heed_interrupts();
  void show_progress(Time now);
  void give_up_the_rest();

  Time next_due() const;
  bool is_measured(Time due) const { return due >= measured_from_ && due < last_due_; }
  bool has_unsent() const { return options_.rate && next_due() < last_due_; }

  const BenchOptions& options_;
  CallPipe& pipe_;
  Interrupts& interrupts_;
  Progress& progress_;
  int timer_ = -1;

  std::vector<Caller> callers_;
  std::vector<std::size_t> free_;  // the last one that became free calls first
  std::uint64_t started_ = 0;      // calls
  bool answered_ = false;          // anything
  std::uint64_t interrupts_taken_ = 0;

  Time start_, measured_from_;
  Time last_due_;       // nothing is due from then on
  Time last_sent_;      // what was due is not sent any more from then on
  Time given_up_;       // what is not answered is not waited for any more
  Time next_progress_;  // to be shown
  std::uint64_t answers_ = 0;
  std::uint64_t answers_shown_ = 0;

  std::vector<zmq_pollitem_t> polled_;
  std::vector<wire::AdminAnswer> taken_;
  BenchResult result_;
};

}  // namespace busbar::cli
