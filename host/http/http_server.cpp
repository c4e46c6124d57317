#include "http/http_server.hpp"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <busbar/registry/net/address.hpp>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <charconv>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/http_connection.hpp"
#include "log/text.hpp"
#include "pool/alternate_stack.hpp"
#include "scheduling/give_way.hpp"

namespace busbar::host {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// How long accepting pauses when the process has no descriptor left: there is nothing to wait on.
constexpr std::chrono::milliseconds kAcceptPause{100};

[[noreturn]] void fail(const std::string& listen, const std::string& what) {
  throw HttpError("could not listen for HTTP at " + in_quotes(listen) + ": " + what);
}

tcp::endpoint endpoint_of(const std::string& listen) {
  const std::string host(registry::net::host_of("tcp://" + listen));
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  std::uint16_t port = 0;
  const char* const end = listen.data() + listen.size();
  const auto read = std::from_chars(listen.data() + (listen.rfind(':') + 1), end, port);
  if (error || host.empty() || read.ec != std::errc{} || read.ptr != end) {
    fail(listen, "expected an IP address and a port, such as \"127.0.0.1:9464\"");
  }
  return {address, port};
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

}  // namespace

class HttpServer::Core final : public HttpConnectionOwner {
 public:
  Core(HttpOptions options, HttpPages pages, Logger log)
      : options_(std::move(options)), pages_(std::move(pages)), log_(std::move(log)), listener_(io_), pause_(io_) {
    listen();
  }
  ~Core() { stop(); }

  const std::string& address() const noexcept { return address_; }
  void start();
  void stop() noexcept;

 private:
  void listen();
  void run() noexcept;
  void accept();
  void accept_one();
  void adopt(int descriptor);
  void make_room() noexcept;

  HttpAnswer answer_to(std::string_view path) noexcept override;
  HttpAnswer bounded(HttpAnswer answer);
  std::optional<std::string> piece_of(const HttpPieces& answer) noexcept override;
  HttpAnswer no_such_page(std::string_view path) const;
  void unsent(std::ptrdiff_t bytes) noexcept override { unsent_ += static_cast<std::size_t>(bytes); }
  void closed(HttpConnection& connection) noexcept override { connections_.erase(&connection); }

  const HttpOptions options_;
  const HttpPages pages_;
  const Logger log_;
  std::string address_;

  // of the server's thread
  std::size_t in_pieces_ = 0;  // answers under way
  asio::io_context io_{1};
  tcp::acceptor listener_;
  asio::steady_timer pause_;
  std::unordered_map<const HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
  std::size_t unsent_ = 0;
  bool told_full_ = false;

  std::thread thread_;
};

// -------------------------------------------------------------------------------------------------------- life

void HttpServer::Core::listen() {
  const tcp::endpoint endpoint = endpoint_of(options_.listen);
  const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const int descriptor = ::socket(endpoint.protocol().family(), type, 0);
  if (descriptor < 0) fail(options_.listen, "could not make a socket: " + error_text(errno));
  error_code error;
  listener_.assign(endpoint.protocol(), descriptor, error);
  if (!error) listener_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) listener_.bind(endpoint, error);
  if (!error) listener_.listen(SOMAXCONN, error);
  if (error) fail(options_.listen, error.message() + " (hint: another host may have that port; port 0 means any)");
  address_ = text_of(listener_.local_endpoint());
}

void HttpServer::Core::start() {
  accept();
  thread_ = std::thread([this] { run(); });
}

void HttpServer::Core::run() noexcept {
  const AlternateStack stack;
  ::pthread_setname_np(::pthread_self(), "busbar-http");
  give_way();
  for (;;) {
    try {
      io_.run();
      return;
    } catch (const std::exception& failure) {
      // No memory, mostly; whatever it was about is lost, all else goes on.
      log_.error("the HTTP listener could not go on with a client", {{"error", failure.what()}});
    }
  }
}

void HttpServer::Core::stop() noexcept {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    error_code ignored;
    listener_.close(ignored);
    pause_.cancel();
    while (!connections_.empty()) connections_.begin()->second->close();
  });
  thread_.join();
}

// --------------------------------------------------------------------------------------------------- connections

// Asio's own accept does not set close-on-exec. One at a time, so that those who came before are read in between: each
// may be the one that has to make room.
void HttpServer::Core::accept() {
  listener_.async_wait(tcp::acceptor::wait_read, [this](error_code error) {
    if (!error && listener_.is_open()) accept_one();  // somebody may have come as it was closed
  });
}

void HttpServer::Core::accept_one() {
  const int descriptor = ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (descriptor >= 0) {
    accept();
    return adopt(descriptor);
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return accept();
  log_.warn("could not accept a client over HTTP", {{"error", error_text(errno)}});
  pause_.expires_after(kAcceptPause);
  pause_.async_wait([this](error_code error) {
    if (!error && listener_.is_open()) accept();
  });
}

void HttpServer::Core::adopt(int descriptor) {
  tcp::socket socket(io_);
  error_code error;
  socket.assign(listener_.local_endpoint().protocol(), descriptor, error);
  if (error) {
    ::close(descriptor);
    return;
  }
  make_room();
  const auto connection = std::make_shared<HttpConnection>(std::move(socket), *this, options_);
  connections_.emplace(connection.get(), connection);
  connection->start();
}

/// Who means well has its answer in a moment; who has waited longest does not.
void HttpServer::Core::make_room() noexcept {
  if (connections_.size() < options_.max_connections) return;
  if (!std::exchange(told_full_, true)) {
    log_.warn(
        "there are as many clients over HTTP as may be; each new one takes the place of the one that waits longest",
        {{"connections", connections_.size()}});
  }
  const auto longest =
      std::min_element(connections_.begin(), connections_.end(),
                       [](const auto& one, const auto& other) { return one.second->since() < other.second->since(); });
  const auto keep = longest->second;  // `close` takes it out of the map
  keep->close();
}

// ------------------------------------------------------------------------------------------------------- answers

HttpAnswer HttpServer::Core::answer_to(std::string_view path) noexcept try {
  const auto page = pages_.find(path);
  if (page == pages_.end()) return no_such_page(path);
  if (unsent_ > options_.max_unsent) {
    return {503, std::to_string(unsent_) + " bytes of answers wait for their clients to read them; try again later\n"};
  }
  try {
    return bounded(page->second());
  } catch (const std::exception& failure) {
    log_.error("could not make a page", {{"path", path}, {"error", failure.what()}});
    return {500, "could not make this page: " + std::string(failure.what()) + "\n"};
  }
} catch (const std::exception&) {
  return {503, {}};  // no memory
}

// One in pieces is counted until its connection lets go of it.
HttpAnswer HttpServer::Core::bounded(HttpAnswer answer) {
  if (!answer.more) return answer;
  if (in_pieces_ >= options_.max_in_pieces) {
    return {503, std::to_string(in_pieces_) + " clients are reading such long answers; try again later\n"};
  }
  ++in_pieces_;
  const std::shared_ptr<void> place(nullptr, [this](void*) { --in_pieces_; });
  answer.more = [more = std::move(answer.more), place] { return more(); };
  return answer;
}

std::optional<std::string> HttpServer::Core::piece_of(const HttpPieces& answer) noexcept try {
  return answer();
} catch (const std::exception& failure) {
  try {
    log_.error("could not make the rest of a page", {{"error", failure.what()}});
  } catch (const std::exception&) {
    // Without memory the client learns it from the end of the connection alone.
  }
  return std::nullopt;
}

HttpAnswer HttpServer::Core::no_such_page(std::string_view path) const {
  std::string text = "there is no " + in_quotes(path.substr(0, 200)) + " here; there are:\n";
  for (const auto& [name, page] : pages_) text += name + "\n";
  return {404, std::move(text)};
}

// ----------------------------------------------------------------------------------------------------- interface

HttpServer::HttpServer(HttpOptions options, HttpPages pages, Logger log)
    : core_(std::make_unique<Core>(std::move(options), std::move(pages), std::move(log))) {}

HttpServer::~HttpServer() = default;

const std::string& HttpServer::address() const noexcept { return core_->address(); }

void HttpServer::start() { core_->start(); }
void HttpServer::stop() noexcept { core_->stop(); }

}  // namespace busbar::host
