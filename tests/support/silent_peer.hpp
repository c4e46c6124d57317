// A TCP server in a test's hands: for peers that say nothing, or nonsense.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/eventually.hpp"

namespace busbar::testing {

class SilentPeer {
 public:
  SilentPeer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&any), &size) != 0) {
      throw std::runtime_error("cannot listen on the loopback");
    }
    port_ = ntohs(any.sin_port);
  }
  ~SilentPeer() {
    if (connection_ >= 0) ::close(connection_);
    ::close(listener_);
  }
  SilentPeer(const SilentPeer&) = delete;
  SilentPeer& operator=(const SilentPeer&) = delete;

  std::string address() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  /// Waits for a connection. The kernel makes it even when this is never called.
  void accept() {
    connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const timeval patience{kFarAway.count(), 0};
    ::setsockopt(connection_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  void send(std::string_view bytes) { (void)!::write(connection_, bytes.data(), bytes.size()); }

  /// Reads until these bytes have come. False: the connection ended before, or they do not come.
  bool await(std::string_view bytes) {
    std::string read;
    while (read.find(bytes) == std::string::npos) {
      char next[256];
      const ssize_t size = ::read(connection_, next, sizeof next);
      if (size <= 0) return false;
      read.append(next, static_cast<std::size_t>(size));
    }
    return true;
  }

  /// A message of one frame, of at most 255 bytes; after the handshake, when READY has come.
  void send_message(std::string_view body) { send_frame('\0', body); }
  /// Whether the other side's ZeroMQ has handed on what was sent before: it has answered a heartbeat, and so has read
  /// and passed on all that came at one go with the one before that.
  bool is_read() {
    for (int i = 0; i < 2; ++i) {
      send_frame('\x04', std::string_view("\x04PING\0\0", 7));
      if (!await("\x04PONG")) return false;
    }
    return true;
  }

  /// The handshake of ZMTP 3.0 without security; nothing after it, also no answer to heartbeats.
  void greet_as_router() {
    std::string greeting("\xFF\0\0\0\0\0\0\0\x01\x7F\x03\0NULL", 16);
    greeting.resize(64, '\0');
    std::string ready("\x05READY\x0BSocket-Type\0\0\0\x06ROUTER", 6 + 12 + 4 + 6);
    send(greeting);
    send_frame('\x04', ready);
  }

 private:
  void send_frame(char flags, std::string_view body) {
    send(std::string{flags, static_cast<char>(body.size())}.append(body));
  }

  int listener_;
  int connection_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace busbar::testing
