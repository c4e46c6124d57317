// A link for the peers' thread: going up and down, and driving what no caller drives.
#include <zmq.h>

#include <algorithm>
#include <utility>

#include "transport/link.hpp"

namespace busbar::host {

void Link::go_up(zmq::socket_t socket, const wire::Envelope& welcome) noexcept {
  socket_ = std::move(socket);
  descriptor_ = socket_.get(zmq::sockopt::fd);
  const MutexLock lock(mutex_);
  max_message_ = std::min(limits_.max_message, static_cast<std::size_t>(welcome.max_message));
  knows_closing_ = welcome.minor >= wire::kMinorWithClosing;
  broken_.reset();
  needs_keeper_ = dropped_.has_value();
  over_.store(false, std::memory_order_seq_cst);
  driver_ = Driver::peers;  // what came with the welcome is still to be read
  set_routable(!dropped_);
}

void Link::go_down() noexcept {
  Outbox forgotten;
  {
    const MutexLock lock(mutex_);
    set_routable(false);
    forgotten.swap(outbox_);
    if (driver_ == Driver::nobody) driver_ = Driver::peers;
  }
  bell_.ring();
}

bool Link::read_rest(Nanos until) noexcept {
  {
    const MutexLock lock(mutex_);
    if (driver_ != Driver::peers) return false;
  }
  while (receive(nullptr) == Received::more) {
    if (now_ns() >= until) return false;
  }
  return true;
}

std::optional<zmq::socket_t> Link::release() noexcept {
  {
    const MutexLock lock(mutex_);
    if (driver_ != Driver::peers) return std::nullopt;
    driver_ = Driver::nobody;
  }
  sending_.clear();
  in_hand_ = 0;
  descriptor_ = -1;
  return std::move(socket_);
}

bool Link::work() noexcept {
  flush();
  const Received received = receive(nullptr);
  if (received == Received::more || socket_is_ready()) return true;
  if (under_way_.load(std::memory_order_relaxed) != 0) return false;
  const FutexWord* sleeper = nullptr;
  {
    const MutexLock lock(mutex_);
    if (routable() && outbox_.empty() && sending_.empty()) pass_on(sleeper);
  }
  if (sleeper != nullptr) futex_wake_one(*sleeper);
  return false;
}

void Link::take_parked() noexcept {
  const MutexLock lock(mutex_);
  if (routable() && driver_ == Driver::nobody) driver_ = Driver::peers;
}

}  // namespace busbar::host
