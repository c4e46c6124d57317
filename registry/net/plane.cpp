#include "net/plane.hpp"

#include <busbar/registry/net/capacity.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace busbar::registry::net {

namespace {

constexpr int kBatch = 256;  // messages
constexpr std::size_t kBatchBytes = 8 * 1024 * 1024;
constexpr std::chrono::seconds kLookAtSilentEvery{1};

// What is watched that is no link; links are numbered from 1.
constexpr std::uint64_t kCallers = 0;
constexpr std::uint64_t kBell = ~std::uint64_t{0};

// False: nothing is there, or the other end is gone. Sends and receives never wait here.
bool receive_frame(zmq::socket_t& socket, zmq::message_t& frame) {
  int size;
  do {
    size = zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT);
  } while (size < 0 && zmq_errno() == EINTR);
  return size >= 0;
}

// 0, or what went wrong.
int send_frame(zmq::socket_t& socket, zmq::message_t& frame, int flags = 0) {
  int size;
  do {
    size = zmq_msg_send(frame.handle(), socket.handle(), flags | ZMQ_DONTWAIT);
  } while (size < 0 && zmq_errno() == EINTR);
  return size >= 0 ? 0 : zmq_errno();
}

}  // namespace

Plane::Bell::Bell() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) throw SocketError(std::string("cannot open an eventfd: ") + std::strerror(errno));
}

Plane::Bell::~Bell() { ::close(descriptor_); }

void Plane::Bell::ring() const noexcept {
  const std::uint64_t one = 1;
  (void)!::write(descriptor_, &one, sizeof one);  // fails only when it rings already
}

void Plane::Bell::hush() const noexcept {
  std::uint64_t rung;
  (void)!::read(descriptor_, &rung, sizeof rung);
}

struct Plane::Link {
  Link(zmq::context_t& context, const SocketOptions& options, const Watch& watch, LinkId id)
      : socket(make_dealer(context, options)),
        monitor(context, socket),
        watched_socket(watch, socket.get(zmq::sockopt::fd), static_cast<std::uint64_t>(id)),
        watched_monitor(watch, monitor.socket().get(zmq::sockopt::fd), static_cast<std::uint64_t>(id)) {}
  zmq::socket_t socket;
  Monitor monitor;
  const Watch::Entry watched_socket;
  const Watch::Entry watched_monitor;
};

Plane::Plane(Options options)
    : options_(std::move(options)),
      resolver_(options_.lookup, [this] { ring(); }),
      context_(make_context(1, sockets_for(options_.max_peers))),
      router_(make_router(context_, options_.listen, options_.sockets)),
      callers_(callers_for(options_.max_peers)) {
  router_monitor_.emplace(context_, router_);
  const auto watch = [this](int descriptor, std::uint64_t token) {
    watched_.push_back(std::make_unique<Watch::Entry>(watch_, descriptor, token));
  };
  watch(bell_.descriptor(), kBell);
  watch(router_.get(zmq::sockopt::fd), kCallers);
  watch(router_monitor_->socket().get(zmq::sockopt::fd), kCallers);
}

Plane::~Plane() { close_all(std::chrono::milliseconds(0)); }

std::string Plane::bound() { return bound_address(router_); }

void Plane::connect(LinkId id, const std::string& address) {
  if (has_name(address)) {
    connect_named(id, address);
  } else {
    connect_to(id, address);
  }
}

void Plane::connect_named(LinkId id, const std::string& address) {
  const auto found = resolver_.ask(address);
  if (!found) {
    named_links_.insert_or_assign(id, address);
  } else if (found->addresses.empty()) {
    at_once_.emplace_back(LinkDown{id, "its name cannot be looked up: " + found->error});
  } else {
    connect_to(id, found->addresses[random_() % found->addresses.size()]);
  }
}

void Plane::connect_to(LinkId id, const std::string& address) {
  try {
    auto link = std::make_unique<Link>(context_, options_.sockets, watch_, id);
    link->socket.connect(address);
    links_.emplace(id, std::move(link));
    unread_.insert(id);
  } catch (const SocketError& error) {
    at_once_.emplace_back(LinkDown{id, error.what()});
  } catch (const zmq::error_t& error) {
    at_once_.emplace_back(LinkDown{id, "cannot connect to " + address + ": " + error.what()});
  }
}

void Plane::close(LinkId id) {
  links_.erase(id);
  named_links_.erase(id);
}

void Plane::resolve(const std::string& name) {
  if (auto found = resolver_.ask(name)) {
    at_once_.emplace_back(NameResolved{name, std::move(*found)});
  } else {
    names_.push_back(name);
  }
}

// Those that are not known yet are asked for again.
void Plane::look_at_names() {
  for (const std::string& name : std::exchange(names_, {})) resolve(name);
  for (const auto& [id, address] : std::exchange(named_links_, {})) connect_named(id, address);
}

void Plane::send(LinkId id, zmq::message_t& bytes) {
  const auto link = links_.find(id);
  if (link == links_.end()) return;
  zmq::message_t shared;
  shared.copy(bytes);
  send_frame(link->second->socket, shared);
  unread_.insert(id);
}

void Plane::send(CallerId id, zmq::message_t& bytes) {
  const std::string* known = callers_.routing_id(id);
  if (known == nullptr) return;
  zmq::message_t routing_id(known->data(), known->size());
  zmq::message_t shared;
  shared.copy(bytes);
  unread_callers_ = true;
  int error = send_frame(router_, routing_id, ZMQ_SNDMORE);
  if (error == 0) error = send_frame(router_, shared);
  if (error != EHOSTUNREACH) return;
  callers_.ended(id);  // told when what it said last has been read
}

void Plane::wait(Time until) {
  // Not longer than an hour, so that every number fits; rounded up, because before the time there is nothing to do.
  const auto left = std::clamp<Duration>(until - Time::clock::now(), Duration::zero(), std::chrono::hours(1));
  const bool at_once = !at_once_.empty() || !unread_.empty() || unread_callers_;
  const auto timeout = at_once ? 0 : std::chrono::ceil<std::chrono::milliseconds>(left).count();
  for (const std::uint64_t token : watch_.wait(static_cast<int>(timeout))) {
    if (token == kBell) {
      bell_.hush();
    } else if (token == kCallers) {
      unread_callers_ = true;
    } else {
      unread_.insert(LinkId{token});
    }
  }
}

std::vector<PlaneEvent> Plane::receive() {
  look_at_names();
  std::vector<PlaneEvent> out = std::exchange(at_once_, {});
  for (const LinkId id : std::exchange(unread_, {})) {
    const auto link = links_.find(id);
    if (link != links_.end()) receive_from(id, *link->second, out);
  }
  if (std::exchange(unread_callers_, false)) receive_from_callers(out);
  forget_silent_callers(Time::clock::now(), out);
  return out;
}

void Plane::receive_from(LinkId id, Link& link, std::vector<PlaneEvent>& out) {
  while (const auto happened = link.monitor.next()) {
    const char* reason = nullptr;
    switch (happened->event) {
      case Monitor::Event::handshake_succeeded:
        // libzmq looks only now and then, when it sends, for what its own threads tell it; this makes it look.
        (void)link.socket.get(zmq::sockopt::events);
        out.emplace_back(LinkUp{id});
        break;
      case Monitor::Event::connect_failed:
        reason = "nobody answers there";
        break;
      case Monitor::Event::handshake_failed:
        reason = "what answers there does not speak ZeroMQ, or is too slow";
        break;
      case Monitor::Event::disconnected:
        reason = "disconnected";
        break;
      default:
        break;
    }
    if (reason == nullptr) continue;
    drain(id, link, out);  // it may have said goodbye
    out.emplace_back(LinkDown{id, reason});
    links_.erase(id);
    return;
  }
  drain(id, link, out);
}

void Plane::drain(LinkId id, Link& link, std::vector<PlaneEvent>& out) {
  std::size_t bytes = 0;
  for (int i = 0; i < kBatch && bytes < kBatchBytes; ++i) {
    auto body = receive_body(link.socket);
    if (!body) return;
    bytes += body->bytes.size();
    out.emplace_back(LinkSaid{id, std::move(body->bytes), body->whole});
  }
  unread_.insert(id);
}

// Whose connection has ended is told when the ROUTER has nothing more, as what it said last, a goodbye perhaps, had
// been put there before.
void Plane::receive_from_callers(std::vector<PlaneEvent>& out) {
  look_at_callers();
  const Time now = Time::clock::now();
  std::size_t bytes = 0;
  for (int i = 0; i < kBatch && bytes < kBatchBytes; ++i) {
    zmq::message_t routing_id;
    if (!receive_frame(router_, routing_id)) {
      for (const CallerId caller : callers_.take_ended()) out.emplace_back(CallerGone{caller});
      return;
    }
    auto body = receive_body(router_);
    if (!body) continue;
    bytes += body->bytes.size();
    const auto caller = caller_of(routing_id, body->bytes, now);
    if (caller) out.emplace_back(CallerSaid{*caller, std::move(body->bytes), body->whole});
  }
  unread_callers_ = true;
}

void Plane::look_at_callers() {
  while (const auto happened = router_monitor_->next()) {
    if (happened->event == Monitor::Event::accepted) {
      callers_.accepted(happened->value);
    } else if (happened->event == Monitor::Event::disconnected) {
      callers_.disconnected(happened->value);
    }
  }
}

// One message; what follows its first frame is thrown away.
std::optional<Plane::Body> Plane::receive_body(zmq::socket_t& socket) {
  Body body;
  if (!receive_frame(socket, body.bytes)) return std::nullopt;
  bool more = body.bytes.more();
  body.whole = !more;
  for (zmq::message_t rest; more && receive_frame(socket, rest);) more = rest.more();
  return body;
}

// Nothing: the connection has ended already, or there are too many.
std::optional<CallerId> Plane::caller_of(const zmq::message_t& routing_id, zmq::message_t& bytes, Time now) {
  const std::string key = routing_id.to_string();
  if (const auto known = callers_.heard(key, now)) return known;
  look_at_callers();  // see CallerTable
  return callers_.add(key, zmq_msg_get(bytes.handle(), ZMQ_SRCFD), now);
}

void Plane::forget_silent_callers(Time now, std::vector<PlaneEvent>& out) {
  if (now < next_look_at_silent_) return;
  next_look_at_silent_ = now + kLookAtSilentEvery;
  for (const CallerId caller : callers_.take_silent(now - options_.forget_callers))
    out.emplace_back(CallerGone{caller});
}

void Plane::close_all(std::chrono::milliseconds linger) noexcept {
  const int ms = static_cast<int>(linger.count());
  for (const auto& [id, link] : links_) zmq_setsockopt(link->socket.handle(), ZMQ_LINGER, &ms, sizeof ms);
  if (router_.handle() != nullptr) zmq_setsockopt(router_.handle(), ZMQ_LINGER, &ms, sizeof ms);
  links_.clear();
  watched_.clear();
  router_monitor_.reset();
  router_.close();
  context_.close();  // waits until all is sent, or has lingered
}

}  // namespace busbar::registry::net
