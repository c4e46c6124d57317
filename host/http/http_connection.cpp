#include "http/http_connection.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>
#include <string>
#include <utility>

namespace busbar::host {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

/// How long, and how much of it, what a client goes on saying is read after a refusal: a connection that is closed with
/// something unread takes the answer with it.
constexpr std::chrono::milliseconds kRestTime{1'000};
constexpr std::size_t kLongestRest = 1024 * 1024;

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

}  // namespace

struct HttpConnection::Exchange {
  explicit Exchange(std::size_t longest_header) : buffer(longest_header + 1024) {}

  beast::flat_buffer buffer;  // may hold the beginning of the next request
  std::optional<http::request_parser<http::empty_body>> parser;
  http::response<http::buffer_body> response;
  std::optional<http::response_serializer<http::buffer_body>> serializer;  // of the response
  std::string piece;                                                       // what is being sent of its body
  HttpPieces more;                                                         // what follows it
  bool keep_open = false;
  std::array<char, 4096> rest;
};

HttpConnection::HttpConnection(Socket socket, HttpConnectionOwner& owner, const HttpOptions& options)
    : socket_(std::move(socket)),
      owner_(owner),
      options_(options),
      deadline_(socket_.get_executor()),
      exchange_(std::make_unique<Exchange>(options.longest_header)) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() { read_request(); }

void HttpConnection::close() noexcept {
  if (std::exchange(closed_, true)) return;
  count_unsent(0);
  error_code ignored;
  // With a reset where the end of the connection would be the end of an answer that is not over.
  if (exchange_->serializer) socket_.set_option(Socket::linger(true, 0), ignored);
  socket_.close(ignored);
  deadline_.cancel();
  owner_.closed(*this);
}

/// Closes it when that time is over, unless another one is allowed before.
void HttpConnection::allow(std::chrono::milliseconds time) {
  deadline_.expires_after(time);
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    // One that was on its way already when more time was allowed comes all the same, and without an error.
    if (!error && Clock::now() >= self->deadline_.expiry()) self->close();
  });
}

// ------------------------------------------------------------------------------------------------------ requests

void HttpConnection::wait_for_request() {
  since_ = Clock::now();
  if (exchange_->buffer.size() != 0) return read_request();
  allow(options_.silent_time);
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    // What has come, or the end of it, is no error also where it was closed meanwhile.
    if (error || self->closed_) return self->close();
    self->read_request();
  });
}

void HttpConnection::read_request() {
  allow(options_.request_time);
  auto& parser = exchange_->parser.emplace();
  parser.header_limit(static_cast<std::uint32_t>(options_.longest_header));
  parser.body_limit(std::uint64_t{0});
  http::async_read(socket_, exchange_->buffer, parser, [self = shared_from_this()](error_code error, std::size_t) {
    if (!self->closed_) self->on_request(error);
  });
}

void HttpConnection::on_request(error_code error) {
  since_ = Clock::now();
  if (error) return refuse(error);
  const auto& request = exchange_->parser->get();
  if (request.method() != http::verb::get && request.method() != http::verb::head) return refuse_method();
  const auto target = request.target();
  send(owner_.answer_to(path_of({target.data(), target.size()})), request.keep_alive());
}

void HttpConnection::refuse_method() { send({405, "only GET and HEAD are served here\n"}, false, "GET, HEAD"); }

/// Says what is wrong with what has come, where it has come so far that somebody may read it.
void HttpConnection::refuse(error_code error) {
  if (error == http::error::end_of_stream || error.category() != make_error_code(http::error::bad_method).category()) {
    return close();  // nobody is there
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return send({431, "the request's headers are longer than " + std::to_string(options_.longest_header) + " bytes\n"},
                false);
  }
  if (error == http::error::body_limit || error == http::error::unexpected_body) {
    return send({413, "the request has a body, and none is taken here\n"}, false);
  }
  send({400, "this is no HTTP/1.1 request: " + error.message() + "\n"}, false);
}

// ------------------------------------------------------------------------------------------------------- answers

// Of a length that is not known beforehand: in chunks, and to who does not know them until the connection ends.
void HttpConnection::send(HttpAnswer answer, bool keep_open, std::string_view allowed) {
  const auto& request = exchange_->parser->get();
  const bool has_end = !answer.more || request.version() >= 11;
  auto& response = exchange_->response;
  response = {static_cast<http::status>(answer.status), 11};
  response.set(http::field::content_type, answer.type);
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  if (!allowed.empty()) response.set(http::field::allow, beast::string_view(allowed.data(), allowed.size()));
  exchange_->keep_open = keep_open && has_end;
  response.keep_alive(exchange_->keep_open);
  if (!answer.more) {
    response.content_length(answer.body.size());
  } else if (has_end) {
    response.chunked(true);
  }
  exchange_->more = std::move(answer.more);
  exchange_->serializer.emplace(response);
  allow(options_.answer_time);
  if (request.method() == http::verb::head) return send_head_alone();
  send_piece(std::move(answer.body));
}

void HttpConnection::send_head_alone() {
  http::async_write_header(socket_, *exchange_->serializer, [self = shared_from_this()](error_code error, std::size_t) {
    if (!self->closed_) self->on_sent(error);
  });
}

// An empty one is the end of an answer that comes in pieces.
void HttpConnection::send_piece(std::string piece) {
  exchange_->piece = std::move(piece);
  auto& body = exchange_->response.body();
  body.data = exchange_->piece.empty() ? nullptr : exchange_->piece.data();
  body.size = exchange_->piece.size();
  body.more = static_cast<bool>(exchange_->more);
  count_unsent(body.size);
  http::async_write(socket_, *exchange_->serializer, [self = shared_from_this()](error_code error, std::size_t) {
    if (!self->closed_) self->on_piece_sent(error);
  });
}

void HttpConnection::on_piece_sent(error_code error) {
  if (error != http::error::need_buffer) return on_sent(error);
  asio::post(socket_.get_executor(), [self = shared_from_this()] {  // after the others, who wait
    if (!self->closed_) self->send_next_piece();
  });
}

void HttpConnection::send_next_piece() {
  auto piece = owner_.piece_of(exchange_->more);
  if (!piece) return close();
  if (piece->empty()) exchange_->more = nullptr;
  send_piece(std::move(*piece));
}

void HttpConnection::on_sent(error_code error) {
  count_unsent(0);
  exchange_->serializer.reset();
  exchange_->response = {};
  exchange_->piece = {};
  exchange_->more = nullptr;
  if (error) return close();
  if (exchange_->keep_open) return wait_for_request();
  socket_.shutdown(Socket::shutdown_send, error);
  allow(kRestTime);
  read_rest();
}

void HttpConnection::count_unsent(std::size_t bytes) noexcept {
  owner_.unsent(static_cast<std::ptrdiff_t>(bytes) - static_cast<std::ptrdiff_t>(std::exchange(unsent_, bytes)));
}

void HttpConnection::read_rest() {
  socket_.async_read_some(asio::buffer(exchange_->rest),
                          [self = shared_from_this()](error_code error, std::size_t size) {
                            self->rest_ += size;
                            if (error || self->rest_ > kLongestRest) return self->close();
                            self->read_rest();
                          });
}

}  // namespace busbar::host
