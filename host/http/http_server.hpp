// Answers GET over HTTP: what Prometheus scrapes, and what a service manager asks to know whether the host is well.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "log/log.hpp"

namespace busbar::host {

/// The listener cannot be opened, with the reason in words.
class HttpError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Gives a long answer piece by piece: what comes next, nothing at the end.
using HttpPieces = std::function<std::string()>;

struct HttpAnswer {
  unsigned status = 200;
  std::string body{};
  std::string type = "text/plain; charset=utf-8";
  HttpPieces more{};  ///< what follows the body, if anything does; others are served between two pieces
};

/// What makes the answer to a path, such as "/healthz".
/// Threads: the server's own, one at a time; each must be quick and must not wait, as all clients wait meanwhile.
/// Errors: what it throws is answered as 500, and logged; thrown by a later piece, it ends the connection.
using HttpPages = std::map<std::string, std::function<HttpAnswer()>, std::less<>>;

struct HttpOptions {
  std::string listen;                              ///< "IP:PORT", "[IPv6]:PORT"; port 0: any free one
  std::size_t max_connections = 64;                ///< one more takes the place of the one that has waited longest
  std::size_t longest_header = 8 * 1024;           ///< bytes of the request line and of all headers
  std::size_t max_unsent = 64 * 1024 * 1024;       ///< bytes of answers, or pieces, that are not read yet; then 503
  std::size_t max_in_pieces = 8;                   ///< answers in pieces under way: each keeps what it is made of
  std::chrono::milliseconds request_time{5'000};   ///< for a request, from its first byte or the connection's begin
  std::chrono::milliseconds answer_time{10'000};   ///< for a client to read its answer, and for its pieces to be made
  std::chrono::milliseconds silent_time{120'000};  ///< between two requests of one connection
};

/// Listens from its construction on, and serves from `start` to `stop`: HTTP/1.0 and 1.1, GET and HEAD, without a body;
/// everything else is refused in words. Ownership: what the pages refer to outlives `stop`. Threads: one of its own,
/// "busbar-http"; `stop` from any other.
class HttpServer {
 public:
  /// Errors: HttpError.
  HttpServer(HttpOptions options, HttpPages pages, Logger log);
  /// Stops.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Where it listens, with the port that it has: "127.0.0.1:9464".
  const std::string& address() const noexcept;
  /// Once. Errors: std::system_error where the thread cannot be started.
  void start();
  /// Ends all connections at once; on return the thread has ended. Without `start`, and a second time, it does nothing.
  void stop() noexcept;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace busbar::host
