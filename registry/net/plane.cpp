#include "net/plane_link.hpp"

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

Plane::Plane(Options options)
    : options_(std::move(options)),
      resolver_(options_.lookup, [this] { ring(); }),
      door_("registry", options_.door, options_.keyring, true, options_.report),
      context_(make_context(1, sockets_for(options_.max_peers))),
      callers_(callers_for(options_.max_peers)) {
  open_router();
  router_monitor_.emplace(context_, router_);
  const auto watch = [this](int descriptor, std::uint64_t token) {
    watched_.push_back(std::make_unique<Watch::Entry>(watch_, descriptor, token));
  };
  watch(bell_.descriptor(), kBell);
  watch(router_.get(zmq::sockopt::fd), kCallers);
  watch(router_monitor_->socket().get(zmq::sockopt::fd), kCallers);
}

void Plane::open_router() {
  if (options_.keyring == nullptr) {
    router_ = make_router(context_, options_.listen, options_.sockets);
  } else {
    gatekeeper_.emplace(
        context_, [this](auto, const auto& key, auto address) { return door_.lets_in(key, address); },
        [this](auto what) { door_.gate_failed(what); });
    own_ = options_.keyring->own();
    const Curve curve{.own = own_->secret, .domain = "registry"};
    router_ = make_router(context_, options_.listen, options_.sockets, &curve);
  }
  door_.listens_at(bound());
}

Plane::~Plane() { close_all(std::chrono::milliseconds(0)); }

std::string Plane::bound() { return bound_address(router_); }

void Plane::connect(LinkId id, const std::string& address, const std::string& node) {
  Dial dial{address, node};
  if (has_name(address)) {
    resolve_and_connect(id, std::move(dial));
  } else {
    dial.at = address;
    connect_to(id, std::move(dial));
  }
}

void Plane::resolve_and_connect(LinkId id, Dial dial) {
  const auto found = resolver_.ask(dial.address);
  if (!found) {
    named_links_.insert_or_assign(id, std::move(dial));
  } else if (found->addresses.empty()) {
    at_once_.emplace_back(LinkDown{id, "its name cannot be looked up: " + found->error});
  } else {
    dial.at = found->addresses[random_() % found->addresses.size()];
    connect_to(id, std::move(dial));
  }
}

void Plane::connect_to(LinkId id, Dial dial) {
  if (options_.keyring == nullptr) return open_link(id, std::move(dial));
  dial.keys = server_keys_.for_address(dial.address, dial.node, *options_.keyring->authorized());
  if (dial.keys.empty()) {
    at_once_.emplace_back(LinkDown{id, "security.authorized has no key of a node, so that none can be expected there"});
  } else {
    open_link(id, std::move(dial));
  }
}

void Plane::open_link(LinkId id, Dial dial) {
  const std::string at = dial.at;
  try {
    links_.insert_or_assign(id, make_link(static_cast<std::uint64_t>(id), std::move(dial)));
    unread_.insert(id);
  } catch (const SocketError& error) {
    at_once_.emplace_back(LinkDown{id, error.what()});
  } catch (const zmq::error_t& error) {
    at_once_.emplace_back(LinkDown{id, "cannot connect to " + at + ": " + error.what()});
  }
}

// Errors: SocketError, zmq::error_t.
std::unique_ptr<Plane::Link> Plane::make_link(std::uint64_t token, Dial dial) {
  const std::string at = dial.at;
  std::shared_ptr<const keys::OwnKey> own;
  std::optional<Curve> curve;
  std::optional<keys::PublicKey> server;
  if (options_.keyring != nullptr) {
    server = dial.keys[dial.next++];
    server_keys_.tries(dial.address, *server);
    own = own_;  // the one that listens has, too: who is dialled expects it when it dials back
    curve.emplace(Curve{.own = own->secret, .server = &*server});
  }
  auto link = std::make_unique<Link>(context_, options_.sockets, curve ? &*curve : nullptr, std::move(dial));
  link->own = std::move(own);
  link->watch_as(watch_, token);
  link->socket.connect(at);
  return link;
}

// Where the key that was expected is not that of who is there. False: there is no other to try.
bool Plane::try_next_key(LinkId id) {
  const auto link = links_.find(id);
  if (link->second->dial.next == link->second->dial.keys.size()) return false;
  if (!server_keys_.may_try_another(link->second->dial.address, Time::clock::now())) return false;
  Dial dial = std::move(link->second->dial);
  links_.erase(link);
  open_link(id, std::move(dial));
  return true;
}

void Plane::close(LinkId id) {
  end_link(id);
  named_links_.erase(id);
}

void Plane::end_link(LinkId id) {
  links_.erase(id);
  renewals_.erase(id);
  outdated_.erase(id);
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
  for (auto& [id, dial] : std::exchange(named_links_, {})) resolve_and_connect(id, std::move(dial));
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
  const bool at_once = !at_once_.empty() || !unread_.empty() || !unread_renewals_.empty() || unread_callers_;
  const auto timeout = at_once ? 0 : std::chrono::ceil<std::chrono::milliseconds>(left).count();
  for (const std::uint64_t token : watch_.wait(static_cast<int>(timeout))) {
    if (token == kBell) {
      bell_.hush();
    } else if (token == kCallers) {
      unread_callers_ = true;
    } else if ((token & kRenewal) != 0) {
      unread_renewals_.insert(LinkId{token & ~kRenewal});
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
  for (const LinkId id : std::exchange(unread_renewals_, {})) look_at_renewal(id, out);
  if (std::exchange(unread_callers_, false)) receive_from_callers(out);
  look_at_silent(Time::clock::now(), out);
  return out;
}

void Plane::receive_from(LinkId id, Link& link, std::vector<PlaneEvent>& out) {
  while (const auto happened = link.monitor.next()) {
    std::string reason;
    switch (happened->event) {
      case Monitor::Event::handshake_succeeded:
        // libzmq looks only now and then, when it sends, for what its own threads tell it; this makes it look.
        (void)link.socket.get(zmq::sockopt::events);
        link.up = true;
        if (!tell_up(id, link, out)) reason = kTakenAway;
        break;
      case Monitor::Event::connect_failed:
        reason = "nobody answers there";
        break;
      case Monitor::Event::key_refused:
        reason = "who is there does not let this node in: its security.authorized must have this node's public key";
        break;
      case Monitor::Event::handshake_failed:
      case Monitor::Event::disconnected:
        if (!link.up && !Monitor::is_other_mechanism(*happened) && try_next_key(id)) return;
        reason = why_ended(link, *happened);
        break;
      default:
        break;
    }
    if (reason.empty()) continue;
    drain(id, link, out);  // it may have said goodbye
    out.emplace_back(LinkDown{id, std::move(reason)});
    end_link(id);
    return;
  }
  drain(id, link, out);
}

// False: its key was taken away meanwhile.
bool Plane::tell_up(LinkId id, Link& link, std::vector<PlaneEvent>& out) {
  if (!take_name(link)) return false;
  out.emplace_back(LinkUp{id, link.name});
  if (is_outdated(link)) outdated_.insert(id);  // renewed within a second
  return true;
}

bool Plane::take_name(Link& link) const {
  const keys::PublicKey* server = link.server();
  if (server == nullptr) return true;
  const auto authorized = options_.keyring->authorized();
  if (!authorized->is_node(*server)) return false;
  link.name = authorized->find(*server)->name;
  return true;
}

std::string Plane::why_ended(const Link& link, const Monitor::Happened& happened) {
  const bool has_keys = link.server() != nullptr;
  if (link.up) return "disconnected";
  if (Monitor::is_other_mechanism(happened)) {
    return has_keys ? "there are no keys there: security.mode must be \"curve\" at both, or at neither"
                    : "keys are asked for there: security.mode must be \"curve\" here, too";
  }
  if (!has_keys) {
    return "what answers there does not speak ZeroMQ as this node does, or is too slow; perhaps it asks for keys";
  }
  if (link.dial.next < link.dial.keys.size()) {
    return "the keys of " + std::to_string(link.dial.next) +
           " nodes in security.authorized are not that of who answers " +
           "there; the others are tried later, as who tries too many in a minute is shut out";
  }
  return "none of the " + std::to_string(link.dial.keys.size()) +
         " keys of nodes in security.authorized is that of who answers there; or it speaks no ZeroMQ, or is too slow";
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
      for (const CallerId caller : callers_.take_ended()) gone(caller, out);
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
  const Time now = Time::clock::now();
  while (const auto happened = router_monitor_->next()) {
    if (happened->event == Monitor::Event::accepted) {
      callers_.accepted(happened->value);
      door_.accepted(happened->value, now);
    } else if (happened->event == Monitor::Event::disconnected) {
      callers_.disconnected(happened->value);
      door_.disconnected(happened->value, now);
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

// Nothing: the connection has ended already, or there are too many, or its key was taken away.
std::optional<CallerId> Plane::caller_of(const zmq::message_t& routing_id, zmq::message_t& bytes, Time now) {
  const std::string key = routing_id.to_string();
  if (const auto known = callers_.heard(key, now)) return known;
  look_at_callers();  // see CallerTable
  return add_caller(key, bytes, now);
}

std::optional<CallerId> Plane::add_caller(const std::string& routing_id, zmq::message_t& bytes, Time now) {
  const int descriptor = zmq_msg_get(bytes.handle(), ZMQ_SRCFD);
  if (options_.keyring == nullptr) return callers_.add(routing_id, descriptor, now);
  const auto key = proven_key(bytes);
  const auto authorized = options_.keyring->authorized();
  if (!key || !authorized->is_node(*key)) {
    door_.turn_away(descriptor, TurnedAway::key_taken_away, kTakenAway);
    return std::nullopt;
  }
  const auto caller = callers_.add(routing_id, descriptor, now);
  if (!caller) {
    door_.turn_away(descriptor, TurnedAway::too_many, "the nodes have more connections than registry.max_peers allows");
    return std::nullopt;
  }
  const std::string& name = authorized->find(*key)->name;
  proven_.insert_or_assign(*caller, Proven{*key, name});
  key_proved(name, *key);
  return caller;
}

void Plane::gone(CallerId caller, std::vector<PlaneEvent>& out) {
  proven_.erase(caller);
  out.emplace_back(CallerGone{caller});
}

void Plane::look_at_silent(Time now, std::vector<PlaneEvent>& out) {
  if (now < next_look_at_silent_) return;
  next_look_at_silent_ = now + kLookAtSilentEvery;
  for (const CallerId caller : callers_.take_silent(now - options_.forget_callers)) gone(caller, out);
  door_.tick(now);
  if (options_.keyring == nullptr) return;
  try {
    look_at_own_key();
  } catch (const std::exception&) {
    // said when it failed first
  }
  renew_outdated();
}

void Plane::close_all(std::chrono::milliseconds linger) noexcept {
  const int ms = static_cast<int>(linger.count());
  for (const auto& [id, link] : links_) zmq_setsockopt(link->socket.handle(), ZMQ_LINGER, &ms, sizeof ms);
  if (router_.handle() != nullptr) zmq_setsockopt(router_.handle(), ZMQ_LINGER, &ms, sizeof ms);
  renewals_.clear();
  links_.clear();
  watched_.clear();
  router_monitor_.reset();
  router_.close();
  gatekeeper_.reset();
  context_.close();  // waits until all is sent, or has lingered
}

}  // namespace busbar::registry::net
