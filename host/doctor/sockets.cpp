#include "doctor/sockets.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <busbar/registry/net/address.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "log/text.hpp"

namespace busbar::host::doctor {

namespace {

class Socket {
 public:
  explicit Socket(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const noexcept { return fd_; }

 private:
  const int fd_;
};

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

/// Nothing: the host is a name that is none of an address.
std::optional<Address> tcp_address(const std::string& address) {
  const std::string host(registry::net::host_of(address));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = host == "*" ? AF_INET : AF_UNSPEC;
  hints.ai_flags = AI_NUMERICSERV | (host == "*" ? AI_PASSIVE : AI_NUMERICHOST);
  addrinfo* found = nullptr;
  const char* const name = host == "*" ? nullptr : host == "localhost" ? "127.0.0.1" : host.c_str();
  if (::getaddrinfo(name, port_of(address).c_str(), &hints, &found) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  Address out;
  std::memcpy(&out.bytes, found->ai_addr, found->ai_addrlen);
  out.size = found->ai_addrlen;
  return out;
}

std::optional<Address> unix_address(const std::string& path) {
  Address out;
  auto& address = reinterpret_cast<sockaddr_un&>(out.bytes);
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  out.size = sizeof address;
  return out;
}

bool is_ipc(const std::string& address) { return address.starts_with("ipc://"); }

std::optional<Address> address_of(const std::string& address) {
  return is_ipc(address) ? unix_address(address.substr(6)) : tcp_address(address);
}

std::string why_no_path(const std::string& path) {
  if (!unix_address(path)) return "its path is too long for a socket";
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && ::access(folder.c_str(), W_OK | X_OK) != 0)
    return in_quotes(folder.native()) + ": " + error_text(errno);
  if (why_not_connected("ipc://" + path, std::chrono::seconds(1)).empty()) return error_text(EADDRINUSE);
  return {};
}

}  // namespace

std::string why_not_bound(const std::string& address) {
  if (is_ipc(address)) return why_no_path(address.substr(6));
  if (port_of(address) == "*") return {};
  const auto at = tcp_address(address);
  if (!at) return {};
  const Socket socket(at->bytes.ss_family);
  const int yes = 1;  // as ZeroMQ does, so that a port whose connections have just ended is free
  if (socket.get() < 0 || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
    return error_text(errno);
  return ::bind(socket.get(), at->get(), at->size) == 0 && ::listen(socket.get(), 1) == 0 ? std::string()
                                                                                          : error_text(errno);
}

std::string why_not_connected(const std::string& address, std::chrono::milliseconds patience) {
  const auto at = address_of(address);
  if (!at) return "that is no address";
  const Socket socket(at->bytes.ss_family);
  if (socket.get() < 0) return error_text(errno);
  if (::connect(socket.get(), at->get(), at->size) == 0) return {};
  if (errno != EINPROGRESS) return error_text(errno);
  pollfd wait{socket.get(), POLLOUT, 0};
  if (::poll(&wait, 1, static_cast<int>(patience.count())) != 1) {
    return "no answer within " + std::to_string(patience.count()) + " ms";
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::string() : error_text(error);
}

}  // namespace busbar::host::doctor
