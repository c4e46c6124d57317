// Who asks over HTTP, byte by byte where a test wants that.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace busbar::testing {

/// A connection to "IPv4:PORT". Ownership: the connection. Threads: one.
class HttpClient {
 public:
  explicit HttpClient(const std::string& address) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const std::size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1))));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      ::close(descriptor_);
      throw std::runtime_error("nobody listens at " + address);
    }
  }
  ~HttpClient() { ::close(descriptor_); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// What the other side does not take any more is dropped.
  void say(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void ask(std::string_view path, std::string_view method = "GET") const {
    say(std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: busbar\r\n\r\n");
  }

  struct Reply {
    int status = 0;  ///< 0: the connection ended before there was one
    std::string headers;
    std::string body;
  };
  /// The next answer; of its body as much as its headers or its chunks say, or all until the connection ends where they
  /// do not. Nothing where it ends first, or `within` is over.
  Reply heard(bool has_body = true, std::chrono::milliseconds within = std::chrono::seconds(60)) {
    const auto until = std::chrono::steady_clock::now() + within;
    Reply reply;
    std::size_t head = 0;
    while ((head = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(until)) return reply;
    }
    reply.headers = received_.substr(0, head + 2);
    received_.erase(0, head + 4);
    if (has_body && !take_body(reply, until)) return reply;
    reply.status = std::stoi(reply.headers.substr(reply.headers.find(' ') + 1));
    return reply;
  }
  /// Waits until something has come, without taking it.
  bool has_answer() const {
    pollfd one{descriptor_, POLLIN, 0};
    return ::poll(&one, 1, 60'000) == 1;
  }
  /// Whether the other side ends the connection within that time. What comes before is thrown away.
  bool ends(std::chrono::milliseconds within = std::chrono::seconds(60)) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (read_more(until)) received_.clear();
    return ended_;
  }
  /// Whether it ends like that, and not with an end.
  bool is_reset(std::chrono::milliseconds within = std::chrono::seconds(60)) { return ends(within) && reset_; }

 private:
  /// False: it ends too early.
  bool take_body(Reply& reply, std::chrono::steady_clock::time_point until) {
    if (reply.headers.find("Transfer-Encoding: chunked\r\n") != std::string::npos) return take_chunks(reply, until);
    const std::size_t size = length_in(reply.headers);
    while (received_.size() < size) {
      if (read_more(until)) continue;
      if (size != std::string::npos) return false;
      break;
    }
    reply.body = received_.substr(0, size);
    received_.erase(0, reply.body.size());
    return true;
  }
  bool take_chunks(Reply& reply, std::chrono::steady_clock::time_point until) {
    for (;;) {
      std::size_t end = 0;
      while ((end = received_.find("\r\n")) == std::string::npos) {
        if (!read_more(until)) return false;
      }
      const std::size_t size = std::stoul(received_.substr(0, end), nullptr, 16);
      while (received_.size() < end + 2 + size + 2) {
        if (!read_more(until)) return false;
      }
      reply.body.append(received_, end + 2, size);
      received_.erase(0, end + 2 + size + 2);
      if (size == 0) return true;
    }
  }
  static std::size_t length_in(const std::string& headers) {
    const std::string name = "Content-Length: ";
    const std::size_t at = headers.find(name);
    return at == std::string::npos ? at : std::stoul(headers.substr(at + name.size()));
  }
  bool read_more(std::chrono::steady_clock::time_point until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd one{descriptor_, POLLIN, 0};
    if (::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) != 1) return false;
    char buffer[65536];
    const ssize_t size = ::recv(descriptor_, buffer, sizeof buffer, 0);
    ended_ = size <= 0;
    reset_ = size < 0 && errno == ECONNRESET;
    if (size > 0) received_.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
  }

  int descriptor_;
  std::string received_;
  bool ended_ = false;
  bool reset_ = false;
};

/// GET over a connection of its own.
inline HttpClient::Reply http_get(const std::string& address, std::string_view path) {
  HttpClient client(address);
  client.ask(path);
  return client.heard();
}

}  // namespace busbar::testing
