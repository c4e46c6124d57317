// Finds the circles of calls that wait for each other across nodes, and opens them (decision 0028).
#pragma once

#include <busbar/wire/envelope.hpp>

#include <atomic>
#include <cstddef>

#include "dispatch/peer.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

class Dispatcher;

/// The circles that calls at gates of one dispatcher are part of. Those which lie on this node alone are found before
/// their last call begins to wait (Waits::enter); of the others every node is asked that they may lead through.
/// Ownership: a part of the dispatcher. Threads: any.
class Circles {
 public:
  explicit Circles(Dispatcher& dispatcher) noexcept : dispatcher_(dispatcher) {}
  Circles(const Circles&) = delete;
  Circles& operator=(const Circles&) = delete;

  /// Looks at the waits that are due. Returns when it wants to be called again. By the supervisor.
  Nanos look(Nanos now) noexcept;

  /// Answers a query, if it is another node's about what a call of its waits for here. False: it is about something
  /// else.
  bool answers(Requester& from, const wire::Envelope& query) noexcept;

 private:
  Dispatcher& dispatcher_;
  std::atomic<std::size_t> searches_{0};  // under way
};

}  // namespace busbar::host
