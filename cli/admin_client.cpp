#include "admin_client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <busbar/wire/frame_buffer.hpp>
#include <busbar/wire/peer_user.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "text.hpp"

namespace busbar::cli {

namespace {

constexpr const char* kSocket = "busbar.sock";
constexpr const char* kStartHint =
    "start a host with busbard, or name the run directory of a running one with --run-dir";

constexpr const char* kHangsHint =
    "the host stands still, or is overrun: see what it does before you restart it; whether what was asked for will be "
    "done is not known";

Failure no_host(const std::filesystem::path& socket, const std::string& why, std::string hint = kStartHint) {
  return Failure(ExitStatus::no_host, failure_code::kNoHost,
                 "could not reach a host at " + in_quotes(socket.native()) + ": " + why, std::move(hint));
}

Failure refused_connection(const std::filesystem::path& socket, int error) {
  if (error == ENOENT) return no_host(socket, "there is no such socket, so no host uses this run directory");
  if (error == ECONNREFUSED) return no_host(socket, "nobody listens there, so the host that made it has ended");
  if (error == EAGAIN) return no_host(socket, "nobody takes the connection, so the host hangs", kHangsHint);
  if (error == EACCES) {
    return no_host(socket, error_text(error), "only the user who runs the host may talk to it; become that user");
  }
  return no_host(socket, error_text(error));
}

/// Whether it is this user's own host, or root's. Root trusts all.
bool is_trusted(int fd) noexcept {
  const auto user = wire::user_at(fd);
  return user && (*user == ::geteuid() || *user == 0 || ::geteuid() == 0);
}

Failure strangers_host(const std::filesystem::path& socket, int fd) {
  const auto user = wire::user_at(fd);
  return no_host(socket,
                 "what listens there runs as user " + (user ? std::to_string(*user) : std::string("unknown")) +
                     ", expected user " + std::to_string(::geteuid()) + " or root",
                 "become the user who runs the host, or name the run directory of one of your own with --run-dir");
}

}  // namespace

AdminClient::AdminClient(const std::filesystem::path& run_dir, std::chrono::milliseconds patience)
    : run_dir_(run_dir), socket_(run_dir / kSocket), patience_(patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = socket_.native();
  if (path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos) {
    throw no_host(socket_, "the path has " + std::to_string(path.size()) + " bytes, a socket's may have " +
                               std::to_string(sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw no_host(socket_, error_text(errno));
  limit_silence(patience_);  // of connecting as well: it waits where too many do
  const bool is_connected = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  if (is_connected && is_trusted(fd_)) return;
  const Failure failure = is_connected ? strangers_host(socket_, fd_) : refused_connection(socket_, error);
  ::close(fd_);
  throw failure;
}

AdminClient::~AdminClient() { ::close(fd_); }

wire::AdminAnswer AdminClient::ask(const wire::AdminRequest& request) {
  asked_at_ = std::chrono::steady_clock::now();
  asks_status_ = request.verb == wire::admin_verb::kStatus;
  // A call is silent until it is answered: a host that stands still is not told from one whose handler works before
  // that.
  const std::chrono::milliseconds own(request.timeout_ms.value_or(0));
  limit_silence(asks_status_ || patience_ == kForEver ? patience_ : std::max(own, patience_ / 2));
  send(wire::frame_of(request));
  return read_answer(receive());
}

void AdminClient::send(const std::vector<std::uint8_t>& frame) {
  std::size_t sent = 0;
  while (sent < frame.size()) {
    const ssize_t size = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (size >= 0) {
      sent += static_cast<std::size_t>(size);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return;  // a host that refuses a request does so before it has read all of it: its answer says why
    } else if (errno == EAGAIN) {
      expect_alive();
    } else if (errno != EINTR) {
      host_is_gone(error_text(errno));
    }
  }
}

std::vector<std::uint8_t> AdminClient::receive() {
  wire::FrameBuffer incoming(std::numeric_limits<std::uint32_t>::max());
  while (!incoming.complete()) {
    const auto room = incoming.room();
    const ssize_t size = ::recv(fd_, room.data(), room.size(), 0);
    if (size > 0) {
      incoming.arrived(static_cast<std::size_t>(size));
    } else if (size == 0) {
      host_is_gone("it ended");
    } else if (errno == EAGAIN) {
      expect_alive();
    } else if (errno != EINTR) {
      host_is_gone(error_text(errno));
    }
  }
  return incoming.take();
}

void AdminClient::limit_silence(std::chrono::milliseconds silence) const {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(silence);
  const timeval limit{whole.count(), std::chrono::microseconds(silence - whole).count()};
  for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    ::setsockopt(fd_, SOL_SOCKET, direction, &limit, sizeof limit);  // zero: for ever
  }
}

/// After a silence: goes on if the host does.
void AdminClient::expect_alive() const {
  if (!asks_status_ && is_host_alive(run_dir_, patience_)) return;
  throw silent_host(run_dir_, std::chrono::steady_clock::now() - asked_at_);
}

void AdminClient::host_is_gone(const std::string& how) const {
  throw Failure(ExitStatus::no_host, failure_code::kNoHost,
                "the host at " + in_quotes(socket_.native()) + " went away before it answered: " + how,
                "its log says why; whether what was asked for has been done is not known");
}

bool is_host_alive(const std::filesystem::path& run_dir, std::chrono::milliseconds patience) {
  wire::AdminRequest question;
  question.verb = wire::admin_verb::kStatus;
  try {
    AdminClient(run_dir, patience / 2).ask(question);
    return true;
  } catch (const Failure& failure) {
    return failure.code() != failure_code::kNoHost;
  }
}

Failure silent_host(const std::filesystem::path& run_dir, std::chrono::steady_clock::duration silence) {
  return Failure(ExitStatus::no_host, failure_code::kNoHost,
                 "the host at " + in_quotes((run_dir / kSocket).native()) + " did not answer within " +
                     std::to_string(std::chrono::round<std::chrono::seconds>(silence).count()) + " s",
                 kHangsHint);
}

}  // namespace busbar::cli
