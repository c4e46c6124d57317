// Whether the threads turn on which all of a host rests.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "node/node.hpp"

namespace busbar::host {

/// Finds out from one look to the next: each look has the threads turn once more, and the next one sees whether they
/// have. Ownership: the node outlives it. Threads: one at a time.
class Liveness {
 public:
  using Clock = std::chrono::steady_clock;
  /// How long a thread may take to turn once. The longest that one has to do, an inline service's run, is far shorter.
  static constexpr std::chrono::seconds kPatience{10};

  explicit Liveness(Node& node) : node_(node) {}

  /// Which threads do not turn, in words; empty: all do, as far as is known.
  std::vector<std::string> hanging(Clock::time_point now = Clock::now());

 private:
  struct Seen {
    std::uint64_t count = 0;
    Clock::time_point asked{};  // when it was to turn once more than `count`
  };
  Node& node_;
  std::vector<Seen> seen_;  // by thread
};

}  // namespace busbar::host
