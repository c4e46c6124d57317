// A way to a host on which many calls are under way at a time.
#pragma once

#include <busbar/wire/admin.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>
#include <zmq.hpp>

namespace busbar::cli {

/// Makes one and the same call again and again. Nothing of it waits: who uses it polls.
/// Errors: Failure; of status no_host when the host has gone. Threads: one.
class CallPipe {
 public:
  CallPipe() = default;
  virtual ~CallPipe() = default;
  CallPipe(const CallPipe&) = delete;
  CallPipe& operator=(const CallPipe&) = delete;

  /// Has a caller, who has none under way, make the call. `number` is never used twice, and not 0.
  virtual void begin(std::size_t caller, std::uint64_t number) = 0;
  /// Sends what was begun, as far as the host takes it; the rest when this is called again.
  virtual void flush() = 0;
  /// Appends the answers that have come; each has its call's number as `seq`.
  virtual void take(std::vector<wire::AdminAnswer>& answers) = 0;
  /// Appends what is to be polled until there is something to take, or to flush.
  virtual void watch(std::vector<zmq_pollitem_t>& items) = 0;
};

}  // namespace busbar::cli
