#include "system/support/raw_client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "system/support/process.hpp"

namespace busbar::system_tests {

RawClient::RawClient(const std::filesystem::path& socket) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) throw std::runtime_error("the socket's path is too long");
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("could not connect to \"" + socket.string() + "\": " + std::strerror(errno));
  }
}

RawClient::~RawClient() { close(socket_); }

void RawClient::send(std::span<const std::uint8_t> bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

void RawClient::send_frame(std::span<const std::uint8_t> body) const {
  std::vector<std::uint8_t> frame(wire::kFrameHead);
  for (std::size_t i = 0; i < wire::kFrameHead; ++i) frame[i] = static_cast<std::uint8_t>(body.size() >> (8 * i));
  frame.insert(frame.end(), body.begin(), body.end());
  send(frame);
}

std::optional<wire::AdminAnswer> RawClient::receive() const {
  std::vector<std::uint8_t> head(wire::kFrameHead);
  if (!read_all(head.data(), head.size())) return std::nullopt;
  std::vector<std::uint8_t> body(wire::announced_length(head.data()));
  if (!read_all(body.data(), body.size())) return std::nullopt;
  return cbor::decode<wire::AdminAnswer>(body);
}

bool RawClient::read_all(std::uint8_t* into, std::size_t size) const {
  for (std::size_t done = 0; done < size;) {
    pollfd readable{socket_, POLLIN, 0};
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(kLimit);
    if (poll(&readable, 1, static_cast<int>(limit.count())) != 1) return false;
    const ssize_t count = recv(socket_, into + done, size - done, 0);
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace busbar::system_tests
