#include "system/support/raw_connections.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>

#include "system/support/process.hpp"

namespace busbar::system_tests {

namespace {

constexpr int kPatienceMs = std::chrono::duration_cast<std::chrono::duration<int, std::milli>>(kLimit).count();
// Fewer than may wait to be accepted: for one more than those the kernel has the other end try again in a second.
constexpr std::size_t kAtOnce = 50;

std::uint32_t ipv4_of(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) throw std::runtime_error("no address: " + text);
  return address.s_addr;
}

}  // namespace

RawConnections::RawConnections(const std::string& address) {
  const auto colon = address.rfind(':');
  host_ = ipv4_of(address.substr(6, colon - 6));
  port_ = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
}

RawConnections::~RawConnections() { close(); }

void RawConnections::close() {
  for (const int descriptor : all_) ::close(descriptor);
  all_.clear();
}

void RawConnections::come_from(const std::string& address) { from_ = ipv4_of(address); }

// Not waited for, as the other side takes them in only so fast. -1: there is no descriptor left, or no such address.
int RawConnections::begin_connecting() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = from_;
  if (from_ != 0 && ::bind(descriptor, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
    ::close(descriptor);
    return -1;
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = host_;
  ::connect(descriptor, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  all_.push_back(descriptor);
  return descriptor;
}

bool RawConnections::open(std::span<const std::uint8_t> bytes) {
  pollfd connecting{begin_connecting(), POLLOUT, 0};
  if (connecting.fd < 0 || ::poll(&connecting, 1, kPatienceMs) != 1 || (connecting.revents & POLLHUP) != 0)
    return false;
  return bytes.empty() || send(bytes);
}

std::size_t RawConnections::open_greeted(std::size_t count, std::span<const std::uint8_t> bytes) {
  std::size_t opened = 0;
  while (opened < count) {
    std::vector<pollfd> connecting;
    for (std::size_t i = 0; i < std::min(kAtOnce, count - opened); ++i) {
      connecting.push_back({begin_connecting(), POLLIN, 0});
    }
    opened += connecting.size();
    while (!connecting.empty() && ::poll(connecting.data(), connecting.size(), kPatienceMs) > 0) {
      std::erase_if(connecting, [&](const pollfd& one) {
        if (one.revents != 0) (void)!::send(one.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return one.revents != 0;
      });
    }
    if (!connecting.empty()) return opened - connecting.size();
  }
  return opened;
}

bool RawConnections::send(std::span<const std::uint8_t> bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(all_.back(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

std::size_t RawConnections::ended() const {
  std::size_t count = 0;
  for (const int descriptor : all_) {
    char buffer[512];
    ssize_t size = 0;
    while ((size = ::recv(descriptor, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
    }
    if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) ++count;
  }
  return count;
}

std::vector<std::uint8_t> zmtp_greeting(const std::string& mechanism) {
  std::vector<std::uint8_t> greeting(64);
  greeting[0] = 0xFF;
  greeting[8] = 1;
  greeting[9] = 0x7F;
  greeting[10] = 3;
  for (std::size_t i = 0; i < mechanism.size() && i < 20; ++i)
    greeting[12 + i] = static_cast<std::uint8_t>(mechanism[i]);
  return greeting;
}

}  // namespace busbar::system_tests
