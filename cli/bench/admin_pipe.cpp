#include "bench/admin_pipe.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

constexpr std::size_t kCallersOfOne = 64;
/// Requests are written together up to this many bytes, and one in any case.
constexpr std::size_t kBatch = 64 * 1024;

[[noreturn]] void host_is_gone(const std::string& how) {
  throw Failure(ExitStatus::no_host, failure_code::kNoHost, "the host went away: " + how, "its log says why");
}

}  // namespace

AdminPipe::Connection::Connection(const std::filesystem::path& run_dir)
    : client(run_dir), incoming(std::numeric_limits<std::uint32_t>::max()) {}

AdminPipe::AdminPipe(const std::filesystem::path& run_dir, wire::AdminRequest call, std::size_t callers)
    : call_(std::move(call)) {
  for (std::size_t served = 0; served < callers; served += kCallersOfOne) {
    connections_.push_back(std::make_unique<Connection>(run_dir));
  }
}

void AdminPipe::begin(std::size_t caller, std::uint64_t number) {
  connections_[caller / kCallersOfOne]->begun.push_back(number);
}

void AdminPipe::flush() {
  for (const auto& connection : connections_) flush(*connection);
}

void AdminPipe::take(std::vector<wire::AdminAnswer>& answers) {
  for (const auto& connection : connections_) take(*connection, answers);
}

void AdminPipe::watch(std::vector<zmq_pollitem_t>& items) {
  for (const auto& connection : connections_) {
    const bool has_more = !connection->takes_no_more && (!connection->outgoing.empty() || !connection->begun.empty());
    const auto events = static_cast<short>(ZMQ_POLLIN | (has_more ? ZMQ_POLLOUT : 0));
    items.push_back({nullptr, connection->client.descriptor(), events, 0});
  }
}

void AdminPipe::flush(Connection& connection) {
  while (!connection.takes_no_more) {
    if (connection.outgoing.empty()) {
      while (!connection.begun.empty() && connection.outgoing.size() < kBatch) {
        call_.seq = connection.begun.front();
        connection.begun.pop_front();
        const auto frame = wire::frame_of(call_);
        connection.outgoing.insert(connection.outgoing.end(), frame.begin(), frame.end());
      }
    }
    if (connection.outgoing.empty() || !write(connection)) return;
  }
}

/// Whether all of it was written.
bool AdminPipe::write(Connection& connection) {
  const auto rest = std::span(connection.outgoing).subspan(connection.sent);
  const ssize_t size = ::send(connection.client.descriptor(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    if (errno != EPIPE && errno != ECONNRESET) host_is_gone(error_text(errno));
    connection.takes_no_more = true;  // what is still to be read says why
    return false;
  }
  connection.sent += static_cast<std::size_t>(size);
  if (connection.sent < connection.outgoing.size()) return false;
  connection.outgoing.clear();
  connection.sent = 0;
  return true;
}

void AdminPipe::take(Connection& connection, std::vector<wire::AdminAnswer>& answers) {
  std::array<std::uint8_t, 64 * 1024> bytes;
  for (;;) {
    const ssize_t size = ::recv(connection.client.descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size > 0) {
      put_together(connection, std::span(bytes).first(static_cast<std::size_t>(size)), answers);
      if (static_cast<std::size_t>(size) < bytes.size()) return;
    } else if (size == 0) {
      host_is_gone("it ended the connection");
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      host_is_gone(error_text(errno));
    }
  }
}

void AdminPipe::put_together(Connection& connection, std::span<const std::uint8_t> bytes,
                             std::vector<wire::AdminAnswer>& answers) {
  while (!bytes.empty()) {
    const auto room = connection.incoming.room();
    const std::size_t size = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), size);
    connection.incoming.arrived(size);
    bytes = bytes.subspan(size);
    if (connection.incoming.complete()) answers.push_back(read_answer(connection.incoming.take()));
  }
}

}  // namespace busbar::cli
