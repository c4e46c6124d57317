#include "net/watch.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "busbar/registry/net/socket.hpp"

namespace busbar::registry::net {

namespace {

constexpr int kAtOnce = 256;

[[noreturn]] void fail(const char* what) { throw SocketError(std::string(what) + ": " + std::strerror(errno)); }

}  // namespace

Watch::Watch() : descriptor_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (descriptor_ < 0) fail("cannot open an epoll descriptor");
}

Watch::~Watch() { ::close(descriptor_); }

Watch::Entry::Entry(const Watch& watch, int descriptor, std::uint64_t token) : watch_(watch), descriptor_(descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  if (::epoll_ctl(watch_.descriptor_, EPOLL_CTL_ADD, descriptor_, &event) != 0) fail("cannot watch a descriptor");
}

Watch::Entry::~Entry() { ::epoll_ctl(watch_.descriptor_, EPOLL_CTL_DEL, descriptor_, nullptr); }

const std::vector<std::uint64_t>& Watch::wait(int timeout_ms) {
  std::array<epoll_event, kAtOnce> events;
  const int count = ::epoll_wait(descriptor_, events.data(), kAtOnce, timeout_ms);
  ready_.clear();  // an error, as EINTR, is a wake-up like others
  for (int i = 0; i < count; ++i) {
    const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;  // the struct is packed: no references
    ready_.push_back(token);
  }
  return ready_;
}

}  // namespace busbar::registry::net
