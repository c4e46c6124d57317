// One client of the admin socket.
#pragma once

#include <busbar/wire/frame_buffer.hpp>

#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dispatch/dispatcher.hpp"

namespace busbar::host {

class AdminConnection;

/// What a connection asks of the server. Threads: the server's.
class AdminConnectionOwner {
 public:
  /// Has the request served; the answer is given to `AdminConnection::finish` with the ticket, never before this has
  /// returned. Errors: may throw; then nothing was started.
  virtual PendingCall serve(AdminConnection& connection, std::uint64_t ticket, wire::AdminRequest request) = 0;
  /// The connection is closed; the owner lets go of it.
  virtual void closed(AdminConnection& connection) noexcept = 0;

 protected:
  ~AdminConnectionOwner() = default;
};

struct AdminConnectionLimits {
  std::size_t longest_frame = 0;
  std::size_t max_requests = 0;
};

/// Reads requests and writes answers. When its client goes, what the client asked for is cancelled.
/// Ownership: shared by the owner and by the operations under way; does not own the owner, which outlives it.
/// Threads: the server's.
class AdminConnection : public std::enable_shared_from_this<AdminConnection> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  using Clock = std::chrono::steady_clock;

  AdminConnection(Socket socket, AdminConnectionOwner& owner, AdminConnectionLimits limits);

  /// Begins to read. Once.
  void start() { read(); }

  /// Sends the answer to a request, if it is still waited for.
  void finish(std::uint64_t ticket, std::vector<std::uint8_t> frame);
  /// What `AdminConnectionOwner::serve` returned, for a request that was served later than it came.
  void started(std::uint64_t ticket, PendingCall call);
  bool waits_for(std::uint64_t ticket) const { return under_way_.contains(ticket); }

  /// From now on requests are refused; the connection is closed when nothing is under way any more.
  void wind_down();
  /// Cancels what is under way, and answers that the host is stopping.
  void abandon();
  /// At once, whatever is under way.
  void close() noexcept;

  /// Since when nothing has been under way and nothing has come; nothing while something is under way.
  std::optional<Clock::time_point> idle_since() const;

 private:
  struct Request {
    std::uint64_t seq = 0;
    PendingCall call;
  };

  void read();
  void on_read(std::size_t size);
  void take_frame();
  void begin(wire::AdminRequest request);
  void send(std::vector<std::uint8_t> frame);
  void write();
  void on_written(std::size_t size);
  void close_if_done() noexcept;

  Socket socket_;
  AdminConnectionOwner& owner_;
  const AdminConnectionLimits limits_;

  wire::FrameBuffer incoming_;
  bool reading_ = false;
  bool closed_ = false;
  bool winding_down_ = false;  // takes no requests
  bool refused_ = false;       // what comes can no longer be told apart into frames: closed when the answer is out
  Clock::time_point last_heard_ = Clock::now();

  std::deque<std::vector<std::uint8_t>> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  std::map<std::uint64_t, Request> under_way_;  // by ticket: what a client calls `seq` need not be unique
  std::uint64_t next_ticket_ = 0;
};

}  // namespace busbar::host
