// Whether the threads turn on which all of a host rests.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "node/node.hpp"

namespace busbar::host {

/// Finds out from one look to the next: each look has the threads turn once more, and the next one sees whether they
/// have. Who asks has one of its own. Threads: one at a time.
class Liveness {
 public:
  using Clock = std::chrono::steady_clock;
  /// How long a thread may take to turn once. The longest that one has to do, an inline service's run, is far shorter.
  static constexpr std::chrono::seconds kPatience{10};

  /// How often each thread has turned; and what has each turn once more, without waiting for that.
  struct Threads {
    std::function<std::vector<Node::Turns>()> turns;
    std::function<void()> have_turn;
  };
  explicit Liveness(Threads threads, Clock::duration patience = kPatience)
      : threads_(std::move(threads)), patience_(patience) {}

  struct Hanging {
    std::string_view thread;
    Clock::duration waited;  ///< for it to turn
  };
  /// Which threads have not turned for longer than that; none: all do, as far as is known.
  std::vector<Hanging> hanging(Clock::time_point now = Clock::now());

 private:
  struct Seen {
    std::uint64_t count = 0;
    Clock::time_point asked{};  // when it was to turn once more than `count`
  };
  const Threads threads_;
  const Clock::duration patience_;
  std::vector<Seen> seen_;  // by thread
};

/// `thread busbar-serve has not turned for 12 s`.
std::string in_words(const Liveness::Hanging& hanging);

}  // namespace busbar::host
