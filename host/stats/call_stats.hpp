// What is counted of calls: how they ended, and how long they waited, ran and took in all.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "stats/duration_histogram.hpp"
#include "stats/outcome.hpp"

namespace busbar::host {

/// What was counted up to one moment. A plain value.
struct CallCounts {
  std::array<std::uint64_t, kOutcomes> outcomes{};
  DurationCounts queued;   ///< from its arrival until its handler was started, or it was given up before
  DurationCounts running;  ///< of the handler, from its start until it returned
  DurationCounts whole;    ///< from its arrival until it was answered or given up

  std::uint64_t of(Outcome outcome) const noexcept { return outcomes[static_cast<std::size_t>(outcome)]; }
  std::uint64_t total() const noexcept;
};

/// Counts calls. A counter that all threads share costs more than the rest of an inline call once two processors want
/// it: so there are a few of each, and a thread keeps to its own. Threads: any.
class CallStats {
 public:
  /// A handler has returned, on the pool.
  void ran(Nanos queued, Nanos running) noexcept {
    Shard& shard = mine();
    shard.queued.add(queued);
    shard.running.add(running);
  }
  /// A call has been given up before its handler was started.
  void waited_in_vain(Nanos queued) noexcept { mine().queued.add(queued); }
  /// A call has ended.
  void ended(Outcome outcome, Nanos whole) noexcept {
    Shard& shard = mine();
    shard.count(outcome);
    shard.whole.add(whole);
  }
  /// One has ended that did nothing but run, on its caller's thread: in place of the two above.
  void ran_inline(Outcome outcome, Nanos took) noexcept {
    Shard& shard = mine();
    shard.count(outcome);
    shard.at_once.add(took);
  }

  CallCounts read() const noexcept;

 private:
  static constexpr unsigned kShards = 4;
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, kOutcomes> outcomes{};
    DurationHistogram at_once, whole, queued, running;

    void count(Outcome outcome) noexcept {
      outcomes[static_cast<std::size_t>(outcome)].fetch_add(1, std::memory_order_relaxed);
    }
  };

  static unsigned next_shard() noexcept;
  Shard& mine() noexcept {
    static thread_local const unsigned shard = next_shard();
    return shards_[shard];
  }

  std::array<Shard, kShards> shards_;
};

}  // namespace busbar::host
