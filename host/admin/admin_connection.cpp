#include "admin/admin_connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "admin/admin_verbs.hpp"

namespace busbar::host {

namespace asio = boost::asio;

namespace {
// A client that does not read its answers gets no new ones made beyond this.
constexpr std::size_t kMostUnsent = 1024 * 1024;
constexpr std::string_view kStoppingText = "the host is stopping";
}  // namespace

AdminConnection::AdminConnection(Socket socket, AdminConnectionOwner& owner, AdminConnectionLimits limits)
    : socket_(std::move(socket)), owner_(owner), limits_(limits), incoming_(limits.longest_frame) {}

// -------------------------------------------------------------------------------------------------------- reading

void AdminConnection::read() {
  if (reading_ || closed_ || refused_ || outgoing_bytes_ > kMostUnsent) return;
  reading_ = true;
  const auto room = incoming_.room();
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
                            self->reading_ = false;
                            error ? self->close() : self->on_read(size);
                          });
}

void AdminConnection::on_read(std::size_t size) {
  if (closed_) return;
  last_heard_ = Clock::now();
  incoming_.arrived(size);
  if (incoming_.too_long()) {
    refused_ = true;
    send(error_frame(0, code::kMalformed,
                     "could not read the request: it has " + std::to_string(incoming_.announced()) +
                         " bytes, this host takes at most " + std::to_string(limits_.longest_frame)));
  } else if (incoming_.complete()) {
    take_frame();
  }
  read();
}

void AdminConnection::take_frame() {
  const auto frame = incoming_.take();
  try {
    wire::AdminRequest request = read_request(frame);
    if (winding_down_) throw BadRequest(wire::admin_code::kStopping, request.seq, std::string(kStoppingText));
    if (under_way_.size() >= limits_.max_requests) {
      throw BadRequest(code::kOverloaded, request.seq,
                       std::to_string(under_way_.size()) + " requests of this connection are under way already");
    }
    begin(std::move(request));
  } catch (const BadRequest& bad) {
    send(error_frame(bad.seq(), bad.code(), bad.what()));
  }
}

void AdminConnection::begin(wire::AdminRequest request) {
  const std::uint64_t seq = request.seq;
  const std::uint64_t ticket = next_ticket_++;
  under_way_.emplace(ticket, Request{seq, {}});
  try {
    started(ticket, owner_.serve(*this, ticket, std::move(request)));
  } catch (const std::exception& failure) {
    finish(ticket, error_frame(seq, wire::admin_code::kInternal,
                               "could not serve the request: " + std::string(failure.what())));
  }
}

void AdminConnection::started(std::uint64_t ticket, PendingCall call) {
  if (const auto found = under_way_.find(ticket); found != under_way_.end()) found->second.call = std::move(call);
}

// -------------------------------------------------------------------------------------------------------- writing

void AdminConnection::finish(std::uint64_t ticket, std::vector<std::uint8_t> frame) {
  if (under_way_.erase(ticket) == 0 || closed_) return;
  last_heard_ = Clock::now();
  send(std::move(frame));
}

void AdminConnection::send(std::vector<std::uint8_t> frame) {
  outgoing_bytes_ += frame.size();
  outgoing_.push_back(std::move(frame));
  if (outgoing_.size() == 1) write();
}

void AdminConnection::write() {
  asio::async_write(socket_, asio::buffer(outgoing_.front()),
                    [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
                      error ? self->close() : self->on_written(size);
                    });
}

void AdminConnection::on_written(std::size_t size) {
  if (closed_) return;
  outgoing_bytes_ -= size;
  outgoing_.pop_front();
  if (!outgoing_.empty()) return write();
  close_if_done();
  read();
}

// --------------------------------------------------------------------------------------------------------- ending

void AdminConnection::wind_down() {
  winding_down_ = true;
  close_if_done();
}

void AdminConnection::abandon() {
  while (!closed_ && !under_way_.empty()) {
    const auto first = under_way_.begin();
    first->second.call.cancel();
    finish(first->first, error_frame(first->second.seq, wire::admin_code::kStopping, kStoppingText));
  }
}

void AdminConnection::close_if_done() noexcept {
  const bool nothing_left = outgoing_.empty() && under_way_.empty();
  if ((winding_down_ && nothing_left) || (refused_ && outgoing_.empty())) close();
}

void AdminConnection::close() noexcept {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();  // the owner lets go of it
  for (auto& [ticket, request] : under_way_) request.call.cancel();
  under_way_.clear();
  boost::system::error_code ignored;
  socket_.close(ignored);
  owner_.closed(*this);
}

std::optional<AdminConnection::Clock::time_point> AdminConnection::idle_since() const {
  if (!under_way_.empty()) return std::nullopt;
  return last_heard_;
}

}  // namespace busbar::host
