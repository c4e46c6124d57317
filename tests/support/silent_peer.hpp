// A TCP server in a test's hands: for peers that say nothing, or nonsense.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

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
  void accept() { connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }
  void send(std::string_view bytes) { (void)!::write(connection_, bytes.data(), bytes.size()); }

  /// The handshake of ZMTP 3.0 without security; nothing after it, also no answer to heartbeats.
  void greet_as_router() {
    std::string greeting("\xFF\0\0\0\0\0\0\0\x01\x7F\x03\0NULL", 16);
    greeting.resize(64, '\0');
    std::string ready("\x05READY\x0BSocket-Type\0\0\0\x06ROUTER", 6 + 12 + 4 + 6);
    ready.insert(0, std::string("\x04") + static_cast<char>(ready.size()));
    send(greeting + ready);
  }

 private:
  int listener_;
  int connection_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace busbar::testing
