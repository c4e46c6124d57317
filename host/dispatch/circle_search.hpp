// One search for a circle that a call at a gate of this node may be part of.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "dispatch/circle.hpp"
#include "dispatch/wait_view.hpp"
#include "dispatch/waits.hpp"

namespace busbar::host {

class Dispatcher;

/// Follows the waits from node to node, twice. Who was seen waiting for the same both times has waited in between: all
/// of them at one moment, and no answer was on its way. What is seen so is no circle by mistake, and does not go away
/// by itself before somebody's time is over.
///
/// Ends by refusing the call, or by saying when it is to be looked at again. Ownership: its own, by the callbacks that
/// it gives away; the dispatcher outlives it. Threads: one after the other.
class CircleSearch : public std::enable_shared_from_this<CircleSearch> {
 public:
  /// `under_way` counts it as long as it lives.
  CircleSearch(Dispatcher& dispatcher, Waits::Due due, std::atomic<std::size_t>& under_way);
  ~CircleSearch();
  CircleSearch(const CircleSearch&) = delete;
  CircleSearch& operator=(const CircleSearch&) = delete;

  void start() noexcept;

 private:
  struct Asked {
    SentCall call;
    WaitsView told;
  };
  using Told = std::map<SentCall, WaitsView>;

  void look_at_own();
  void ask(const std::set<SentCall>& calls);
  void ask(Asked& one) noexcept;
  void one_is_there() noexcept;
  void all_are_there();
  void seen_once();
  void seen_twice();
  void open(const Circle& circle) noexcept;
  void look_again(bool is_new, Nanos in) noexcept;

  Dispatcher& dispatcher_;
  const Waits::Due due_;
  std::atomic<std::size_t>& under_way_;
  bool second_ = false;
  WaitsView own_, own_before_;
  Told told_, told_before_;
  std::vector<Asked> asked_;
  std::atomic<std::size_t> missing_{0};
};

}  // namespace busbar::host
