#include "system/support/recording_relay.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace busbar::system_tests {

namespace {

constexpr std::size_t kGreeting = 64;
constexpr int kLookMs = 10;  // for new connections, and whether it is over

sockaddr_in address_of(const std::string& address) {
  const auto colon = address.rfind(':');
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1))));
  if (::inet_pton(AF_INET, address.substr(6, colon - 6).c_str(), &out.sin_addr) != 1)
    throw std::runtime_error("no address: " + address);
  return out;
}

int connect_to(const std::string& address) {
  const sockaddr_in to = address_of(address);
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  constexpr int kOn = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

bool send_all(int descriptor, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

// Hands on what is there. False: that side has ended.
bool hand_on(int from, int to, RecordingRelay::Bytes* record) {
  std::uint8_t buffer[16 * 1024];
  const ssize_t size = ::recv(from, buffer, sizeof buffer, 0);
  if (size <= 0) return false;
  if (record != nullptr) record->insert(record->end(), buffer, buffer + size);
  return send_all(to, {buffer, static_cast<std::size_t>(size)});
}

}  // namespace

RecordingRelay::RecordingRelay(const std::string& target)
    : target_(target), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in own = address_of("tcp://127.0.0.1:0");
  socklen_t size = sizeof own;
  auto* const at = reinterpret_cast<sockaddr*>(&own);
  if (listening_ < 0 || ::bind(listening_, at, size) != 0 || ::listen(listening_, SOMAXCONN) != 0 ||
      ::getsockname(listening_, at, &size) != 0) {
    throw std::runtime_error("cannot listen for a relay");
  }
  address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(own.sin_port));
  thread_ = std::thread([this] { run(); });
}

RecordingRelay::~RecordingRelay() {
  stopping_ = true;
  thread_.join();
  hang_up();
  ::close(listening_);
}

std::vector<RecordingRelay::Bytes> RecordingRelay::recordings() const {
  const MutexLock lock(mutex_);
  std::vector<Bytes> out;
  for (const auto& pair : pairs_) out.push_back(pair->said);
  return out;
}

void RecordingRelay::say(std::span<const std::uint8_t> bytes) const {
  const MutexLock lock(mutex_);
  if (!pairs_.empty() && !pairs_.back()->over) send_all(pairs_.back()->target, bytes);
}

void RecordingRelay::hang_up() {
  const MutexLock lock(mutex_);
  for (const auto& pair : pairs_) end(*pair);
}

void RecordingRelay::end(Pair& pair) {
  if (std::exchange(pair.over, true)) return;
  ::close(pair.opener);
  ::close(pair.target);
}

void RecordingRelay::run() {
  while (!stopping_) {
    std::vector<pollfd> looked_at{{listening_, POLLIN, 0}};
    std::vector<Pair*> of;
    {
      const MutexLock lock(mutex_);
      for (const auto& pair : pairs_) {
        if (pair->over) continue;
        looked_at.push_back({pair->opener, POLLIN, 0});
        looked_at.push_back({pair->target, POLLIN, 0});
        of.push_back(pair.get());
      }
    }
    if (::poll(looked_at.data(), looked_at.size(), kLookMs) <= 0) continue;
    const MutexLock lock(mutex_);
    if (looked_at[0].revents != 0) accept_one();
    for (std::size_t i = 0; i < of.size(); ++i)
      move(*of[i], looked_at[1 + 2 * i].revents, looked_at[2 + 2 * i].revents);
  }
}

void RecordingRelay::accept_one() {
  const int opener = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
  if (opener < 0) return;
  const int target = connect_to(target_);
  if (target < 0) {
    ::close(opener);
    return;
  }
  pairs_.push_back(std::make_unique<Pair>(Pair{opener, target, {}, false}));
}

void RecordingRelay::move(Pair& pair, short opener_events, short target_events) {
  if (!pair.over && opener_events != 0 && !hand_on(pair.opener, pair.target, &pair.said)) end(pair);
  if (!pair.over && target_events != 0 && !hand_on(pair.target, pair.opener, nullptr)) end(pair);
}

std::vector<RecordingRelay::Bytes> zmtp_pieces(std::span<const std::uint8_t> recording) {
  std::vector<RecordingRelay::Bytes> pieces;
  while (!recording.empty()) {
    std::uint64_t size = kGreeting;
    if (!pieces.empty()) {
      const bool is_long = (recording[0] & 2U) != 0;
      const std::size_t head = is_long ? 9 : 2;
      if (recording.size() < head) break;
      size = 0;
      for (std::size_t i = 1; i < head; ++i) size = size << 8U | recording[i];
      size += head;
    }
    const auto taken = recording.first(static_cast<std::size_t>(std::min<std::uint64_t>(size, recording.size())));
    pieces.emplace_back(taken.begin(), taken.end());
    recording = recording.subspan(taken.size());
  }
  return pieces;
}

}  // namespace busbar::system_tests
