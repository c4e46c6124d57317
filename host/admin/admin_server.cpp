#include "admin/admin_server.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <busbar/wire/admin.hpp>
#include <busbar/wire/peer_user.hpp>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "admin/admin_connection.hpp"
#include "admin/admin_verbs.hpp"
#include "log/text.hpp"
#include "pool/alternate_stack.hpp"

namespace busbar::host {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;

namespace {

/// How long accepting pauses when the process has no descriptor left: there is nothing to wait on.
constexpr std::chrono::milliseconds kAcceptPause{100};
/// How long clients have for reading their last answers.
constexpr std::chrono::milliseconds kFlushTime{250};

[[noreturn]] void fail(const std::filesystem::path& socket, const std::string& step, int error) {
  throw AdminError("could not open admin socket " + in_quotes(socket.native()) + ": " + step + ": " +
                   error_text(error));
}

/// Removes what a killed host has left. Whoever put something else there did not mean us to delete it.
void remove_stale(const std::filesystem::path& socket) {
  struct stat found {};
  if (::lstat(socket.c_str(), &found) != 0) {
    if (errno != ENOENT) fail(socket, "could not look at it", errno);
    return;
  }
  if (!S_ISSOCK(found.st_mode)) {
    throw AdminError("could not open admin socket " + in_quotes(socket.native()) +
                     ": found something else of that name, expected a socket or nothing");
  }
  if (::unlink(socket.c_str()) != 0) fail(socket, "could not remove the one that is there", errno);
}

/// The listening socket, which other users could never connect to: Linux gives the file the mode that the socket had
/// when it was bound.
int listen_at(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) fail(socket, "could not use its path", ENAMETOOLONG);
  std::memcpy(address.sun_path, socket.c_str(), socket.native().size());
  remove_stale(socket);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail(socket, "could not make a socket", errno);
  const auto give_up = [&](const char* step) {
    const int error = errno;
    ::close(fd);
    fail(socket, step, error);
  };
  if (::fchmod(fd, 0600) != 0) give_up("could not set its mode");
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("could not bind it");
  if (::chmod(socket.c_str(), 0600) != 0) give_up("could not set its mode");
  if (::listen(fd, SOMAXCONN) != 0) give_up("could not listen");
  return fd;
}

/// Whether it is neither who runs this host nor root. The socket's mode keeps such users out, but a mode can be
/// changed.
bool is_stranger(int fd) noexcept {
  const auto user = wire::user_at(fd);
  return !user || (*user != ::geteuid() && *user != 0);
}

/// `text` makes the text; where it cannot, the client is refused without a word.
template <class Text>
void close_with_error(int fd, std::string_view code, Text text) noexcept {
  try {
    const auto frame = error_frame(0, code, text());
    [[maybe_unused]] const auto sent = ::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL);  // fits an empty buffer
  } catch (const std::exception&) {
  }
  ::close(fd);
}

}  // namespace

/// The server without its interface: what its thread works on.
class AdminServer::Core final : public std::enable_shared_from_this<AdminServer::Core>, public AdminConnectionOwner {
 public:
  Core(std::filesystem::path socket, Dispatcher& dispatcher, AdminHooks hooks, Logger log, AdminOptions options)
      : path_(std::move(socket)),
        log_(std::move(log)),
        options_(options),
        verbs_(dispatcher, std::move(hooks)),
        listener_(io_),
        accept_pause_(io_),
        stop_timer_(io_) {}

  void start();
  std::uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }
  void have_turn();
  void begin_stop(std::chrono::milliseconds grace);
  void stop(std::chrono::milliseconds grace);

 private:
  struct Waiting {
    std::weak_ptr<AdminConnection> connection;
    std::uint64_t ticket;
    wire::AdminRequest request;
  };

  void run() noexcept;
  void accept();
  void accept_all();
  void adopt(int fd);
  bool make_room();
  void refuse_one_too_many(int fd) noexcept;
  void refuse_stranger(int fd) noexcept;
  void become_ready();

  PendingCall serve(AdminConnection& connection, std::uint64_t ticket, wire::AdminRequest request) override;
  void closed(AdminConnection& connection) noexcept override;
  AdminVerbs::Answer answer_for(const std::weak_ptr<AdminConnection>& connection, std::uint64_t ticket);

  void wind_down(std::chrono::milliseconds grace);
  void abandon();
  void close_all();
  std::vector<std::shared_ptr<AdminConnection>> connections() const;

  // constant after construction
  const std::filesystem::path path_;
  const Logger log_;
  const AdminOptions options_;

  // of the server's thread
  AdminVerbs verbs_;
  bool ready_ = false;
  bool stopping_ = false;
  bool told_full_ = false;
  bool told_stranger_ = false;
  std::vector<Waiting> waiting_;  // for the host's first scan

  asio::io_context io_{1};
  Protocol::acceptor listener_;
  asio::steady_timer accept_pause_;
  asio::steady_timer stop_timer_;
  std::unordered_map<const AdminConnection*, std::shared_ptr<AdminConnection>> connections_;

  std::atomic<std::uint64_t> turns_{0};
  std::thread thread_;
};

// -------------------------------------------------------------------------------------------------------- life

void AdminServer::Core::start() {
  const int fd = listen_at(path_);
  listener_.assign(Protocol(), fd);
  ready_ = verbs_.hooks().ready();
  accept();
  thread_ = std::thread([this] { run(); });
  if (ready_) return;
  verbs_.hooks().when_ready([weak = weak_from_this()] {
    if (const auto core = weak.lock()) asio::post(core->io_, [core = core.get()] { core->become_ready(); });
  });
}

void AdminServer::Core::run() noexcept {
  const AlternateStack stack;
  pthread_setname_np(pthread_self(), "busbar-admin");
  for (;;) {
    try {
      io_.run();
      return;
    } catch (const std::exception& failure) {
      // No memory, mostly; whatever it was about is lost, all else goes on.
      log_.error("the admin socket could not go on with a client", {{"error", failure.what()}});
    }
  }
}

void AdminServer::Core::have_turn() {
  asio::post(io_, [this] { turns_.fetch_add(1, std::memory_order_relaxed); });
}

void AdminServer::Core::begin_stop(std::chrono::milliseconds grace) {
  if (thread_.joinable()) asio::post(io_, [this, grace] { wind_down(grace); });
}

void AdminServer::Core::stop(std::chrono::milliseconds grace) {
  if (!thread_.joinable()) return;
  begin_stop(grace);
  thread_.join();
}

void AdminServer::Core::wind_down(std::chrono::milliseconds grace) {
  if (std::exchange(stopping_, true)) return;
  boost::system::error_code ignored;
  listener_.close(ignored);
  accept_pause_.cancel();
  ::unlink(path_.c_str());
  for (const auto& connection : connections()) connection->wind_down();
  if (connections_.empty()) return;
  stop_timer_.expires_after(grace);
  stop_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) abandon();
  });
}

void AdminServer::Core::abandon() {
  for (const auto& connection : connections()) connection->abandon();
  if (connections_.empty()) return;
  stop_timer_.expires_after(kFlushTime);
  stop_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) close_all();
  });
}

void AdminServer::Core::close_all() {
  for (const auto& connection : connections()) connection->close();
}

void AdminServer::Core::closed(AdminConnection& connection) noexcept {
  connections_.erase(&connection);
  if (stopping_ && connections_.empty()) stop_timer_.cancel();
}

/// A copy, because those that are closed leave the map.
std::vector<std::shared_ptr<AdminConnection>> AdminServer::Core::connections() const {
  std::vector<std::shared_ptr<AdminConnection>> all;
  all.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  return all;
}

// --------------------------------------------------------------------------------------------------- connections

// Asio's own accept does not set close-on-exec, and a child that held a client's connection would keep its end from us.
void AdminServer::Core::accept() {
  listener_.async_wait(Protocol::acceptor::wait_read, [this](boost::system::error_code error) {
    if (!error) accept_all();
  });
}

void AdminServer::Core::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      try {
        adopt(fd);
      } catch (const std::exception& failure) {  // no memory: this client goes, others may come
        log_.error("could not take a client of the admin socket", {{"error", failure.what()}});
      }
    } else if (errno == EAGAIN) {
      return accept();
    } else if (errno != EINTR && errno != ECONNABORTED) {
      break;
    }
  }
  log_.warn("could not accept a client of the admin socket", {{"error", error_text(errno)}});
  accept_pause_.expires_after(kAcceptPause);
  accept_pause_.async_wait([this](boost::system::error_code error) {
    if (!error) accept();
  });
}

void AdminServer::Core::adopt(int fd) {
  if (is_stranger(fd)) return refuse_stranger(fd);
  if (!make_room()) return refuse_one_too_many(fd);
  told_full_ = false;
  Protocol::socket socket(io_);
  boost::system::error_code error;
  socket.assign(Protocol(), fd, error);
  if (error) {
    ::close(fd);
    return;
  }
  const AdminConnectionLimits limits{options_.max_message + wire::kFrameExtra, options_.max_requests};
  const auto connection = std::make_shared<AdminConnection>(std::move(socket), *this, limits);
  connections_.emplace(connection.get(), connection);
  connection->start();
}

/// Whether there is a place for one more client; those that have been silent for long give theirs up.
bool AdminServer::Core::make_room() {
  if (connections_.size() < options_.max_connections) return true;
  const auto silent_until = AdminConnection::Clock::now() - options_.idle_grace;
  std::shared_ptr<AdminConnection> longest;
  for (const auto& [key, connection] : connections_) {
    const auto since = connection->idle_since();
    if (!since || *since > silent_until) continue;
    if (!longest || *since < *longest->idle_since()) longest = connection;
  }
  if (!longest) return false;
  longest->close();
  return true;
}

void AdminServer::Core::refuse_one_too_many(int fd) noexcept {
  if (!std::exchange(told_full_, true)) {
    log_.warn("refused a client of the admin socket", {{"connections", connections_.size()}});
  }
  close_with_error(fd, code::kOverloaded, [this] {
    return "the host has " + std::to_string(connections_.size()) +
           " clients on its admin socket already; try again later";
  });
}

void AdminServer::Core::refuse_stranger(int fd) noexcept {
  if (!std::exchange(told_stranger_, true)) {
    log_.warn("refused another user at the admin socket, whose mode should keep all others out: is it still 0600?",
              {{"user", wire::user_at(fd).value_or(0)}, {"socket", path_.native()}});
  }
  close_with_error(fd, code::kForbidden, [] {
    return "only user " + std::to_string(::geteuid()) + ", who runs this host, and root may use its admin socket";
  });
}

// ------------------------------------------------------------------------------------------------------ requests

PendingCall AdminServer::Core::serve(AdminConnection& connection, std::uint64_t ticket, wire::AdminRequest request) {
  const auto weak = connection.weak_from_this();
  if (ready_ || !AdminVerbs::waits_for_host(request.verb)) {
    return verbs_.serve(request, answer_for(weak, ticket));
  }
  std::erase_if(waiting_, [](const Waiting& entry) {  // those whose clients did not want to wait
    const auto client = entry.connection.lock();
    return !client || !client->waits_for(entry.ticket);
  });
  waiting_.push_back({weak, ticket, std::move(request)});
  return {};
}

void AdminServer::Core::become_ready() {
  ready_ = true;
  for (Waiting& entry : std::exchange(waiting_, {})) {
    const auto connection = entry.connection.lock();
    if (!connection || !connection->waits_for(entry.ticket)) continue;
    const std::uint64_t seq = entry.request.seq;
    try {
      connection->started(entry.ticket, verbs_.serve(entry.request, answer_for(entry.connection, entry.ticket)));
    } catch (const std::exception& failure) {
      connection->finish(entry.ticket, error_frame(seq, wire::admin_code::kInternal,
                                                   "could not serve the request: " + std::string(failure.what())));
    }
  }
}

/// Brings an answer from whichever thread to the server's own.
AdminVerbs::Answer AdminServer::Core::answer_for(const std::weak_ptr<AdminConnection>& connection,
                                                 std::uint64_t ticket) {
  return [weak = weak_from_this(), connection, ticket](std::vector<std::uint8_t> frame) {
    const auto core = weak.lock();
    if (!core) return;
    asio::post(core->io_, [connection, ticket, frame = std::move(frame)]() mutable {
      if (const auto client = connection.lock()) client->finish(ticket, std::move(frame));
    });
  };
}

// ----------------------------------------------------------------------------------------------------- interface

AdminServer::AdminServer(std::filesystem::path socket, Dispatcher& dispatcher, AdminHooks hooks, Logger log,
                         AdminOptions options)
    : core_(std::make_shared<Core>(std::move(socket), dispatcher, std::move(hooks), std::move(log), options)) {
  core_->start();
}

AdminServer::~AdminServer() { stop(); }

std::uint64_t AdminServer::turns() const noexcept { return core_->turns(); }

void AdminServer::have_turn() { core_->have_turn(); }

void AdminServer::wind_down(std::chrono::milliseconds grace) { core_->begin_stop(grace); }

void AdminServer::stop(std::chrono::milliseconds grace) { core_->stop(grace); }

}  // namespace busbar::host
