#include "transport/link_keeper.hpp"

#include <poll.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "transport/handshake.hpp"

namespace busbar::host {

namespace {

using registry::net::Monitor;

constexpr Nanos kMinDelay = 100 * kMillisecond;
constexpr Nanos kMaxDelay = 3 * kSecond;  // so a network that heals is whole within 5 s
constexpr Nanos kParkedFor = kSecond;     // how long late answers may lie where nobody drives

// How soon it is looked again whether anything is still waited for from a peer that leaves: its last answer may have
// come through our ROUTER, or been read by a caller, and then nobody rings.
constexpr Nanos kLookAgain = 2 * kMillisecond;

// How long a peer that has left, but whose connection stands, may take to end that: what it answered last comes before.
// Also how long a caller may take to leave the socket of a connection that has ended. Then the calls end all the same.
constexpr Nanos kLastAnswers = 200 * kMillisecond;

// How long who has found a link may take until its call counts as pending there.
constexpr Nanos kMomentToSend = kSecond;

// How long ZeroMQ goes on sending what it holds when this node stops.
constexpr int kLingerMs = 100;

// Frames that ZeroMQ holds for one direction. A frame may be a whole bundle: what exceeds these waits in the outbox,
// whose bytes are counted.
constexpr int kHighWaterMark = 256;

constexpr const char* kTakenAway = "its key is not in security.authorized any more";

registry::net::SocketOptions socket_options(const CallPlaneOptions& options) {
  registry::net::SocketOptions socket;
  socket.max_message = options.max_message;
  socket.heartbeat = options.heartbeat;
  socket.lost_after = options.lost_after;
  socket.high_water_mark = kHighWaterMark;
  return socket;
}

Nanos handshake_time() { return std::chrono::nanoseconds(registry::net::SocketOptions{}.handshake).count(); }

std::string reason_of(const char* what, int error) {
  return error > 0 ? std::string(what) + ": " + std::generic_category().message(error) : what;
}

}  // namespace

LinkKeeper::LinkKeeper(std::shared_ptr<Link> link, zmq::context_t& context, const CallPlaneOptions& options, Logger log,
                       PeerEvents& events, registry::net::Resolver& resolver,
                       const std::shared_ptr<const keys::OwnKey>& own, const ConnectedNodes* callers)
    : link_(std::move(link)),
      context_(context),
      options_(options),
      log_(std::move(log)),
      events_(events),
      resolver_(resolver),
      own_now_(own),
      callers_(callers),
      delay_(kMinDelay),
      random_(std::random_device{}()) {}

void LinkKeeper::descriptors(std::vector<pollfd>& into) {
  offset_ = into.size();
  polled_ = 0;
  const auto poll = [&](int descriptor) {
    into.push_back({descriptor, POLLIN, 0});
    ++polled_;
  };
  if (monitor_ && state_ != State::closing) poll(monitor_->socket().get(zmq::sockopt::fd));
  if (state_ == State::greeting) poll(socket_.get(zmq::sockopt::fd));
  if (state_ == State::up && link_->worked_by_peers()) poll(link_->descriptor());
}

bool LinkKeeper::attend(Nanos now, const std::vector<pollfd>& polled) noexcept {
  try {
    if (link_->retiring()) retire_further(now);
    const bool news = polled_ == 0 || polled[offset_].revents != 0;
    return state_ == State::up ? keep_up(now, news) : come_up(now);
  } catch (const std::exception& error) {
    if (state_ < State::up) fail(now, error.what());
    return false;
  }
}

bool LinkKeeper::come_up(Nanos now) {
  if (state_ == State::ending) {
    end_further(now);
  } else if (state_ == State::closing) {
    close(now);
  } else if (link_->needs_keeper() && link_->dropped()) {
    finish();
  } else if (state_ == State::resting && now >= due_ && !link_->let_go_of()) {
    return dial(now);
  } else if (state_ == State::resolving) {
    return dial_named(now);
  } else if (state_ == State::connecting) {
    return connect_further(now);
  } else if (state_ == State::greeting) {
    return greet_further(now);
  }
  return false;
}

bool LinkKeeper::dial(Nanos now) {
  return registry::net::has_name(link_->address()) ? dial_named(now) : begin_connecting(now, link_->address());
}

// One of what the name stands for, a random one: if nobody answers there, another one is found in a while.
bool LinkKeeper::dial_named(Nanos now) {
  const auto found = resolver_.ask(link_->address());
  if (!found) {
    state_ = State::resolving;
    due_ = kNever;  // the resolver rings
    return false;
  }
  if (found->addresses.empty()) {
    fail(now, "its name cannot be looked up: " + found->error);
    return false;
  }
  return begin_connecting(now, found->addresses[random_() % found->addresses.size()]);
}

bool LinkKeeper::begin_connecting(Nanos now, const std::string& address) {
  at_ = address;
  if (options_.keyring != nullptr) {
    auto listed = options_.keyring->authorized()->of_nodes(link_->name());
    if (listed.empty()) {
      fail(now, "security.authorized has no key of a node of that name");
      return false;
    }
    // First the one that it has proved last, then the one that was right before.
    const auto first = [&](const keys::PublicKey& key) {
      const auto found = std::find(listed.begin(), listed.end(), key);
      if (found != listed.end()) std::rotate(listed.begin(), found, found + 1);
    };
    if (next_key_ != 0) first(server_keys_[next_key_ - 1]);
    if (proved_) first(*proved_);
    server_keys_ = std::move(listed);
    next_key_ = 0;
  }
  return connect(now);
}

bool LinkKeeper::connect(Nanos now) {
  if (options_.keyring != nullptr) {
    own_ = own_now_;
    outdated_ = false;
    const registry::net::Curve curve{.own = own_->secret, .server = &server_keys_[next_key_++]};
    socket_ = registry::net::make_dealer(context_, socket_options(options_), &curve);
  } else {
    socket_ = registry::net::make_dealer(context_, socket_options(options_));
  }
  monitor_.emplace(context_, socket_);
  socket_.connect(at_);
  state_ = State::connecting;
  due_ = now + handshake_time();
  return connect_further(now);  // ZeroMQ tells of events only after it was asked once and had none
}

// What the monitor has to say, if it is the end of the connection.
std::optional<std::string> LinkKeeper::bad_news() {
  while (const auto happened = monitor_->next()) {
    switch (happened->event) {
      case Monitor::Event::connected:
        connection_ = happened->value;
        break;
      case Monitor::Event::handshake_succeeded:
        connected_ = true;
        break;
      case Monitor::Event::handshake_failed:
        other_key_ = !Monitor::is_other_mechanism(*happened);
        return other_key_ ? "the other side does not speak ZeroMQ as we do, or has another key"
                          : "one side has keys, the other has none: security.mode must be the same at both";
      case Monitor::Event::key_refused:
        return "it does not let this node in: its security.authorized must have this node's public key";
      case Monitor::Event::disconnected:
        disconnected_ = true;
        other_key_ = !connected_;
        return "the connection was lost";
      case Monitor::Event::connect_failed:
      case Monitor::Event::closed:
        return reason_of("no connection", happened->value);
      default:
        break;
    }
  }
  return std::nullopt;
}

// The welcome may come as quickly as the hello has gone. Returns whether the link has come up.
bool LinkKeeper::connect_further(Nanos now) {
  if (const auto reason = bad_news()) {
    return connect_otherwise(now, *reason);
  } else if (connected_) {
    state_ = State::greeting;
    due_ = now + handshake_time();
    return greet_further(now);
  } else if (now >= due_) {
    fail(now, "no connection in time");
  }
  return false;
}

// At once with the next key that the node may have, as while it changes it for another.
bool LinkKeeper::connect_otherwise(Nanos now, const std::string& reason) {
  if (!std::exchange(other_key_, false) || next_key_ >= server_keys_.size()) {
    fail(now, reason);
    return false;
  }
  close_socket();
  return connect(now);
}

// Says hello, and waits for the welcome. Returns whether the link has come up.
bool LinkKeeper::greet_further(Nanos now) {
  if (const auto reason = bad_news()) {
    fail(now, *reason);
    return false;
  }
  // The socket is asked until it has nothing more: only then its descriptor tells what comes next.
  for (;;) {
    const int events = socket_.get(zmq::sockopt::events);
    if (greeted_) {
      zmq::message_t message;
      if ((events & ZMQ_POLLIN) == 0 || zmq_msg_recv(message.handle(), socket_.handle(), ZMQ_DONTWAIT) < 0) break;
      return read_welcome(now, message);
    }
    // Whatever has come before is read afterwards: no link goes up to a node that was not told who calls.
    if ((events & ZMQ_POLLOUT) == 0 || !say_hello()) break;
    greeted_ = true;
  }
  if (now >= due_) fail(now, "it did not say who it is in time");
  return false;
}

bool LinkKeeper::say_hello() {
  const auto hello = introduction(wire::EnvelopeType::hello, options_);
  return zmq_send(socket_.handle(), hello.data(), hello.size(), ZMQ_DONTWAIT) >= 0;
}

bool LinkKeeper::read_welcome(Nanos now, const zmq::message_t& message) {
  wire::Bytes frame(message.data<std::uint8_t>(), message.size());
  const wire::Envelope welcome = wire::read_envelope(frame);
  if (const auto reason = judge_welcome(welcome, options_, link_->name(), link_->incarnation())) {
    fail(now, *reason);
    return false;
  }
  if (!its_key_is_listed()) {
    fail(now, kTakenAway);
    return false;
  }
  link_->go_up(std::exchange(socket_, {}), welcome);
  closing_said_ = false;
  state_ = State::up;
  delay_ = kMinDelay;
  said_.clear();
  due_ = 0;
  log_.info("peer is up", {{"peer", link_->name()}, {"address", link_->address()}});
  return true;
}

// Returns whether it has gone down.
bool LinkKeeper::keep_up(Nanos now, bool news) {
  std::optional<std::string> reason = news ? bad_news() : std::nullopt;
  if (!reason && link_->needs_keeper()) {
    reason = link_->dropped();
    if (!reason) reason = link_->broken();
  }
  if (reason) {
    take_down(now, *reason);
    return true;
  }
  if (now >= parked_until_) {
    if (const auto silent = silence()) {
      take_down(now, *silent);
      return true;
    }
    link_->take_parked();
    parked_until_ = now + kParkedFor;
  }
  const bool lets_go = let_go_further();
  const bool more = link_->worked_by_peers() && link_->work();
  due_ = more ? 0 : lets_go ? now + kLookAgain : parked_until_;
  return false;
}

// A peer that leaves is told that nothing more comes from here when nothing is waited for from there. Returns whether
// that is to be looked at again.
bool LinkKeeper::let_go_further() noexcept {
  if (!link_->let_go_of() || closing_said_) [[likely]]
    return false;
  if (link_->pending() == 0 && link_->under_way() == 0) {
    link_->say_closing();
    closing_said_ = true;
  }
  return !closing_said_;
}

// Whether the network has been cut between the two ends of this very connection: the kernel tests it, but has far more
// patience than the failure detector (C-D9, decision 0013). A frozen process is not seen here: its kernel answers.
std::optional<std::string> LinkKeeper::silence() {
  const auto silent = registry::net::silence_of(connection_);
  if (!silent || *silent < registry::net::longest_silence(socket_options(options_))) return std::nullopt;
  if (auto reason = bad_news()) return reason;  // then it was the silence of another connection perhaps
  return "nothing came over the connection for " + std::to_string(silent->count()) + " ms, not even from its kernel";
}

// No request is sent there any more. What is answered already is not lost with the connection: it is read first.
void LinkKeeper::take_down(Nanos now, std::string_view reason) {
  said_ = reason;
  if (hurried_ && link_->worked_by_peers()) link_->work();  // what was posted last still leaves
  link_->go_down();
  state_ = State::ending;
  due_ = now + kLastAnswers;
  end_further(now);
}

void LinkKeeper::end_further(Nanos now) {
  if (!disconnected_) bad_news();
  // After a disconnect nothing more comes: so that is read to its end, however long it takes.
  const bool read = link_->read_rest(disconnected_ ? kNever : due_);
  const bool more_may_come = !disconnected_ && !hurried_ && link_->dropped();
  // A caller that is still inside the socket rings when it has left, and our ROUTER's thread when the other side has.
  if ((!read || more_may_come || !others_are_heard()) && now < due_) return;
  end_calls(now);
}

void LinkKeeper::end_calls(Nanos now) {
  state_ = State::closing;
  due_ = kNever;
  if (retired_at_) {
    log_.info("a connection to a peer was renewed", {{"peer", link_->name()}, {"address", link_->address()}});
  } else if (closing_said_) {
    log_.info("peer has left", {{"peer", link_->name()}, {"address", link_->address()}});
  } else {
    log_.warn("peer is down", {{"peer", link_->name()}, {"address", link_->address()}, {"reason", said_}});
  }
  link_->end();
  events_.on_down(*link_, said_);
  close(now);
}

bool LinkKeeper::its_key_is_listed() const {
  if (options_.keyring == nullptr) return true;
  const auto listed = options_.keyring->authorized()->of_nodes(link_->name());
  return std::find(listed.begin(), listed.end(), server_keys_[next_key_ - 1]) != listed.end();
}

// Nothing of it is acted on any more, not even what had come before.
void LinkKeeper::look_at_keys(Nanos now) noexcept {
  if ((state_ != State::up && state_ != State::ending) || its_key_is_listed()) return;
  said_ = kTakenAway;
  link_->go_down();
  end_calls(now);
}

// ------------------------------------------------------------------------------------------------------- renewal

bool LinkKeeper::has_key_in_use() const noexcept { return state_ >= State::connecting && state_ <= State::up; }

void LinkKeeper::own_key_changed() noexcept {
  if (has_key_in_use() && own_->key != own_now_->key) outdated_ = true;
}

void LinkKeeper::key_proved(const keys::PublicKey& key) {
  proved_ = key;
  if (has_key_in_use() && server_keys_[next_key_ - 1] != key) outdated_ = true;
}

std::unique_ptr<LinkKeeper> LinkKeeper::successor(std::shared_ptr<Link> link) {
  auto keeper =
      std::make_unique<LinkKeeper>(std::move(link), context_, options_, log_, events_, resolver_, own_now_, callers_);
  keeper->replaces_ = link_;
  keeper->proved_ = proved_;
  outdated_ = false;
  return keeper;
}

std::shared_ptr<Link> LinkKeeper::take_replaced() noexcept {
  if (replaces_ == nullptr) return nullptr;
  if (replaces_->retiring()) {
    replaces_.reset();
  } else if (replaces_->dropped()) {
    link_->drop(*replaces_->dropped());
    replaces_.reset();
  } else if (state_ == State::up && !std::exchange(replaced_told_, true)) {
    return replaces_;
  }
  return nullptr;
}

bool LinkKeeper::renewing() const noexcept {
  return replaces_ != nullptr || link_->retiring() || (outdated_ && state_ == State::up);
}

// Who found the link just before nobody could any more has had a moment to send its call.
void LinkKeeper::retire_further(Nanos now) noexcept {
  if (!retired_at_) retired_at_ = now;
  const bool is_used = now < *retired_at_ + kMomentToSend || link_->pending() != 0 || link_->under_way() != 0;
  if (state_ != State::up || !is_used) link_->drop("another connection has taken its place");
}

// Answers to calls that others have forwarded there come through our ROUTER, over a connection of its own. The two
// connections of who has ended are seen to end one after the other: what it has sent is read when both have.
bool LinkKeeper::others_are_heard() noexcept {
  if (callers_ == nullptr || hurried_ || !disconnected_) return true;
  return !callers_->has(link_->name(), link_->incarnation());
}

void LinkKeeper::close(Nanos now) {
  auto socket = link_->release();
  if (!socket) return;
  socket_ = std::move(*socket);
  if (link_->dropped()) {
    finish();
  } else {
    rest(now);
  }
}

void LinkKeeper::finish() noexcept {
  close_socket();
  state_ = State::over;
  due_ = kNever;
}

void LinkKeeper::fail(Nanos now, std::string_view reason) noexcept {
  if (said_ != reason) {
    said_ = reason;
    log_.warn("cannot reach peer; going on trying",
              {{"peer", link_->name()}, {"address", link_->address()}, {"reason", reason}});
  }
  rest(now);
}

// Until the next attempt: nodes that lost a peer at the same moment do not come back at the same moment.
void LinkKeeper::rest(Nanos now) noexcept {
  close_socket();
  state_ = State::resting;
  due_ = link_->let_go_of() ? kNever
                            : now + std::uniform_int_distribution<Nanos>(delay_ * 8 / 10, delay_ * 12 / 10)(random_);
  delay_ = std::min(delay_ * 2, kMaxDelay);
}

// The monitor first: ending it uses the socket.
void LinkKeeper::close_socket() noexcept {
  monitor_.reset();
  if (hurried_ && socket_.handle() != nullptr) socket_.set(zmq::sockopt::linger, kLingerMs);
  socket_.close();
  connected_ = disconnected_ = greeted_ = other_key_ = false;
}

}  // namespace busbar::host
