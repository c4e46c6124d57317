// One client of the HTTP listener.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/http_server.hpp"

namespace busbar::host {

class HttpConnection;

/// What a connection asks of the server. Threads: the server's.
class HttpConnectionOwner {
 public:
  /// The answer to a GET of that path, which may be any bytes. Throws nothing.
  virtual HttpAnswer answer_to(std::string_view path) noexcept = 0;
  /// The next piece of an answer; without: it could not be made.
  virtual std::optional<std::string> piece_of(const HttpPieces& answer) noexcept = 0;
  /// Bytes of an answer that begin to wait for the client, or (less than 0) do so no more.
  virtual void unsent(std::ptrdiff_t bytes) noexcept = 0;
  /// The connection is closed; the owner lets go of it.
  virtual void closed(HttpConnection& connection) noexcept = 0;

 protected:
  ~HttpConnectionOwner() = default;
};

/// Reads one request after the other and writes the answers. Whatever is not a request is answered in words where that
/// can be, and ends the connection.
/// Ownership: shared by the owner and by the operations under way; the owner and the options outlive it.
/// Threads: the server's.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Clock = std::chrono::steady_clock;

  HttpConnection(Socket socket, HttpConnectionOwner& owner, const HttpOptions& options);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Begins to read. Once.
  void start();
  /// At once, whatever is under way.
  void close() noexcept;
  /// Since when it waits for the next request, or for its answer to be read.
  Clock::time_point since() const noexcept { return since_; }

 private:
  struct Exchange;  // a request and its answer

  void wait_for_request();
  void read_request();
  void on_request(boost::system::error_code error);
  void refuse(boost::system::error_code error);
  void refuse_method();
  void send(HttpAnswer answer, bool keep_open, std::string_view allowed = {});
  void send_head_alone();
  void send_piece(std::string piece);
  void on_piece_sent(boost::system::error_code error);
  void send_next_piece();
  void on_sent(boost::system::error_code error);
  void read_rest();
  void allow(std::chrono::milliseconds time);
  void count_unsent(std::size_t bytes) noexcept;

  Socket socket_;
  HttpConnectionOwner& owner_;
  const HttpOptions& options_;
  boost::asio::steady_timer deadline_;
  std::unique_ptr<Exchange> exchange_;
  Clock::time_point since_ = Clock::now();
  std::size_t rest_ = 0;    // bytes that were thrown away after a refusal
  std::size_t unsent_ = 0;  // bytes that the owner counts
  bool closed_ = false;
};

}  // namespace busbar::host
