#include "transport/call_server.hpp"

#include <busbar/cbor/errors.hpp>
#include <busbar/cbor/sink.hpp>

#include <pthread.h>
#include <zmq.h>

#include <exception>
#include <utility>

#include "pool/alternate_stack.hpp"
#include "pool/clock.hpp"
#include "transport/handshake.hpp"

namespace busbar::host {

namespace net = registry::net;

namespace {

// After so many envelopes answers are sent, although more requests are there.
constexpr unsigned kMostUnsent = AnswerFrames::kMostEnvelopes;

// How many batches may follow each other before the monitor is read all the same.
constexpr unsigned kBatchesPerLook = 32;

// How long the thread looks for more before it sleeps, where it has just had several requests.
constexpr Nanos kAwakeFor = 50 * kMicrosecond;
constexpr unsigned kYields = 1'000;

constexpr std::chrono::seconds kRefusalInterval{1};
constexpr std::chrono::seconds kLineInterval{10};
constexpr int kLookAtStrangersMs = 1'000;
constexpr const char* kTakenAway = "its key is not in security.authorized any more";

net::SocketOptions socket_options(const CallPlaneOptions& options) {
  net::SocketOptions result;
  result.max_message = options.max_message;
  result.heartbeat = options.heartbeat;
  result.lost_after = options.lost_after;
  return result;
}

net::TurnedAway reason_of(const Refusal& refusal) {
  if (refusal.code == "protocol") return net::TurnedAway::other_version;
  if (refusal.code == "cluster") return net::TurnedAway::other_cluster;
  return refusal.code == "key" ? net::TurnedAway::other_name : net::TurnedAway::malformed;
}

// The descriptor of the connection that a message came over; -1 if it is not known.
int descriptor_of(zmq::message_t& message) noexcept { return ::zmq_msg_get(message.handle(), ZMQ_SRCFD); }

}  // namespace

CallServer::CallServer(zmq::context_t& context, const CallPlaneOptions& options, Logger log)
    : options_(options),
      log_(std::move(log)),
      door_("calls", options_.door, options_.keyring, false, options_.report),
      refusals_(kRefusalInterval),
      refusal_lines_(kLineInterval) {
  try {
    zmq::socket_t router = open_router(context);
    bound_address_ = net::bound_address(router);
    address_ = net::advertised_address(bound_address_, options_.advertise);
    monitor_.emplace(context, router);
    try {
      router_ = std::make_shared<SharedRouter>(std::move(router), options_.report);
    } catch (...) {
      monitor_.reset();  // before the socket that it watches
      throw;
    }
    router_->watch(monitor_->socket().get(zmq::sockopt::fd));
    door_.listens_at(bound_address_);
  } catch (const std::exception& failure) {
    throw CallPlaneError(failure.what());
  }
}

zmq::socket_t CallServer::open_router(zmq::context_t& context) {
  if (options_.keyring == nullptr) return net::make_router(context, options_.listen, socket_options(options_));
  gatekeeper_.emplace(
      context, [this](auto, const auto& key, auto address) { return door_.lets_in(key, address); },
      [this](auto what) { door_.gate_failed(what); });
  own_ = options_.keyring->own();
  const net::Curve curve{.own = own_->secret, .domain = "calls"};
  return net::make_router(context, options_.listen, socket_options(options_), &curve);
}

CallServer::~CallServer() { stop(std::chrono::milliseconds(0)); }

void CallServer::start(RequestEvents& events, Told told) {
  events_ = &events;
  told_ = std::move(told);
  if (options_.keyring != nullptr) {
    keys_ = options_.keyring->on_change([this] {
      keys_changed_.store(true, std::memory_order_release);
      router_->ring();
    });
  }
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "busbar-serve");
}

void CallServer::stop(std::chrono::milliseconds linger) noexcept {
  if (std::exchange(stopped_, true)) return;
  keys_.reset();
  stop_by_.store(now_ns() + linger.count() * kMillisecond, std::memory_order_relaxed);
  stopping_.store(true, std::memory_order_release);
  router_->ring();
  if (thread_.joinable()) thread_.join();
  monitor_.reset();
  router_->close(stop_by_.load(std::memory_order_relaxed));
  gatekeeper_.reset();
  end_all();
}

void CallServer::drop(std::string node, std::uint64_t incarnation, std::string reason) {
  {
    const MutexLock lock(mutex_);
    lost_.push_back({std::move(node), incarnation, std::move(reason)});
  }
  has_lost_.store(true, std::memory_order_release);
  router_->ring();
}

void CallServer::fill(CallPlaneStats& stats) const {
  stats.renewing += from_before_.load(std::memory_order_relaxed);
  stats.connections = connected_.load(std::memory_order_relaxed);
  stats.refused = refused_.load(std::memory_order_relaxed);
  stats.malformed = malformed_.load(std::memory_order_relaxed);
  stats.unanswerable = router_->unanswerable();
}

// ----------------------------------------------------------------------------------------------------- the thread

void CallServer::run() noexcept {
  const AlternateStack stack;
  ReceivedBatch batch;
  unsigned batches = 0;
  bool slept = true;
  drain_monitor();  // a descriptor of ZeroMQ wakes nobody before it was once read until nothing was left
  while (!stopping_.load(std::memory_order_acquire)) {
    // Where requests come one at a time, the answer goes out before it is looked whether there is another.
    const bool lone = slept && handled_ <= 1;
    const SharedRouter::Next next =
        wait_awake(batch) ? SharedRouter::Next::kWork : router_->next(batch, lone ? 1 : ReceivedBatch::kMostMessages);
    unsent_ = 0;
    bool look = false;
    slept = next != SharedRouter::Next::kWork;
    if (!slept) {
      handled_ = 0;
      handle_all(batch);
      for (ConnectionPtr& connection : router_->take_gone()) leaving_.push_back(std::move(connection));
      look = ++batches % kBatchesPerLook == 0;
    } else {
      const bool strangers = door_.has_strangers();
      look = router_->sleep(next, strangers ? kLookAtStrangersMs : -1) || strangers;
    }
    // Before those that the registry has lost for the same reason: they are sent a word.
    if (keys_changed_.exchange(false, std::memory_order_acquire)) look_at_keys();
    if (has_lost_.exchange(false, std::memory_order_acquire)) end_lost();
    if (look) drain_monitor();
    if (!leaving_.empty()) end_leaving(batch);
    turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // What has come until now gets its answer: who refuses requests by now says so, and they are sent elsewhere (C-D18).
  while (router_->look(batch) && now_ns() < stop_by_.load(std::memory_order_relaxed)) handle_all(batch);
}

// Where many requests are under way, the next are not far, and a thread that sleeps is woken across processors for much
// more than a few yields cost. Returns whether the batch has something.
bool CallServer::wait_awake(ReceivedBatch& batch) noexcept {
  if (handled_ <= 1) return false;
  const Nanos until = now_ns() + kAwakeFor;
  bool found = false;
  const auto ready = [&] {
    found = router_->look(batch);
    return found || now_ns() >= until;
  };
  yields_.yield_until(ready, kYields);
  handled_ = found ? handled_ : 0;
  return found;
}

void CallServer::handle_all(ReceivedBatch& batch) noexcept {
  for (Received& message : batch.messages()) handle(message);
  batch.clear();
}

void CallServer::handle(Received& message) noexcept {
  const std::string_view routing_id = message.routing_id.to_string_view();
  const ConnectionPtr connection = connections_.find(routing_id);
  if (log_.enabled(LogLevel::trace)) [[unlikely]] {
    log_.trace("a frame has come",
               {{"from", connection == nullptr ? "an unknown" : connection->name()}, {"bytes", message.frame.size()}});
  }
  CallIds ids;
  try {
    read(message, connection, ids);
  } catch (const MalformedPayload& problem) {
    malformed(message, connection, problem.what(), ids);
  } catch (const std::exception& failure) {
    if (const auto line = refusal_lines_.ask("failure")) {
      log_.error("could not serve a frame",
                 {{"reason", failure.what()}, {"bytes", message.frame.size()}, {"suppressed", line.suppressed}}, ids);
    }
  }
}

// What stands before malformed bytes is taken, so that its callers need not wait for nothing. `ids`: of the envelope
// that was read last, if it could be; in the message's frame.
void CallServer::read(Received& message, ConnectionPtr connection, CallIds& ids) {
  if (message.frames != 1) {
    throw MalformedPayload("a message of the call plane has one frame, found " + std::to_string(message.frames));
  }
  wire::Bytes rest(message.frame.data<std::uint8_t>(), message.frame.size());
  do {
    ids = {};
    const wire::Envelope envelope = wire::read_envelope(rest);
    ids = {envelope.message_id, envelope.correlation_id, envelope.traceparent};
    if (connection != nullptr) {
      take(connection, envelope);
    } else {
      connection = greet(message, envelope);
      if (connection == nullptr) return;
    }
  } while (!rest.empty() && !connection->ended);
}

void CallServer::take(const ConnectionPtr& connection, const wire::Envelope& envelope) {
  ++handled_;
  if (unsent_++ == kMostUnsent) {
    router_->send_waiting();
    unsent_ = 1;
  }
  if (envelope.major != wire::kCallProtocolMajor) return refuse_version(connection, envelope);
  switch (envelope.type) {
    case wire::EnvelopeType::answer:  // of a call that another node has forwarded to that one (C-R6)
    case wire::EnvelopeType::request:
      if (!may(connection, envelope)) return;
      [[fallthrough]];
    case wire::EnvelopeType::cancel:
    case wire::EnvelopeType::query:
      return events_->on_request(connection, envelope);
    case wire::EnvelopeType::closing:
      return take_closing(connection);
    case wire::EnvelopeType::none:  // of a later minor version
      return;
    case wire::EnvelopeType::hello:
      return refuse_hello(connection->routing_id(), "hello_repeated",
                          "this connection was greeted already, by '" + connection->name() + "': it stays so");
    default:
      throw MalformedPayload("expected a request, an answer, a cancellation or a query, found an envelope of type " +
                             std::to_string(static_cast<unsigned>(envelope.type)));
  }
}

void CallServer::refuse_version(const ConnectionPtr& connection, const wire::Envelope& envelope) {
  const std::string text = "this connection speaks version " + std::to_string(wire::kCallProtocolMajor) +
                           " of the call protocol, found an envelope of version " + std::to_string(envelope.major);
  refuse(connection->routing_id(), envelope.attempt, "protocol", text);
  const bool is_shut_out = door_.misbehaved(connection->descriptor(), connection->key(), net::TurnedAway::other_version,
                                            text, std::chrono::steady_clock::now());
  if (is_shut_out) end(connection);
}

// Only nodes forward, and answer. Who does not know that is told where its request is judged; who does it too often is
// shut out.
bool CallServer::may(const ConnectionPtr& connection, const wire::Envelope& envelope) {
  const bool answers = envelope.type == wire::EnvelopeType::answer;
  if (connection->role() == wire::Role::node || (!answers && !envelope.is_forwarded)) [[likely]]
    return true;
  const bool is_shut_out = door_.misbehaved(connection->descriptor(), connection->key(), net::TurnedAway::not_allowed,
                                            answers ? "a client has answered a call" : "a client has forwarded a call",
                                            std::chrono::steady_clock::now());
  if (is_shut_out) end(connection);
  return !is_shut_out;
}

// Whatever it has asked has been handed out by now.
void CallServer::take_closing(const ConnectionPtr& connection) {
  if (connection->role() != wire::Role::node || !std::exchange(connection->asks, false)) return;
  nodes_.asks_no_more(connection->name(), connection->incarnation());
  told_.closes({connection->name(), connection->incarnation()});
}

// ------------------------------------------------------------------------------------------------------ handshake

// Returns the connection if its first envelope makes it one.
CallServer::ConnectionPtr CallServer::greet(Received& message, const wire::Envelope& hello) {
  const std::string_view routing_id = message.routing_id.to_string_view();
  if (hello.type != wire::EnvelopeType::hello) {
    const auto key = net::proven_key(message.frame);
    door_.strange(descriptor_of(message.frame), key ? &*key : nullptr, "it has not said hello",
                  std::chrono::steady_clock::now());
    if (refusals_.ask(routing_id)) {
      refuse(routing_id, 0, "hello_expected",
             "node '" + options_.node + "' expects a hello first on each connection, found an envelope of type " +
                 std::to_string(static_cast<unsigned>(hello.type)));
    }
    return nullptr;
  }
  std::optional<keys::ListedKey> proof;
  if (options_.keyring != nullptr && !(proof = proof_of(message))) return nullptr;
  if (const auto refusal = judge_hello(hello, options_, proof ? &proof->owner : nullptr)) {
    refuse_hello(routing_id, refusal->code, refusal->text);
    door_.misbehaved(descriptor_of(message.frame), proof ? &proof->key : nullptr, reason_of(*refusal), refusal->text,
                     std::chrono::steady_clock::now());
    return nullptr;
  }
  return admit(message, hello, std::move(proof));
}

// Nothing: its key was taken away since it came in.
std::optional<keys::ListedKey> CallServer::proof_of(Received& message) {
  const auto key = net::proven_key(message.frame);
  const auto authorized = options_.keyring->authorized();
  const keys::Identity* owner = key ? authorized->find(*key) : nullptr;
  if (owner != nullptr) return keys::ListedKey{*owner, *key};
  door_.turn_away(descriptor_of(message.frame), net::TurnedAway::key_taken_away, kTakenAway);
  return std::nullopt;
}

CallServer::ConnectionPtr CallServer::admit(Received& message, const wire::Envelope& hello,
                                            std::optional<keys::ListedKey> proof) {
  drain_monitor();  // see ConnectionTable
  const int descriptor = descriptor_of(message.frame);
  if (!connections_.is_open(descriptor)) return nullptr;
  std::string name(hello.node.empty() && proof ? std::string_view(proof->owner.name) : hello.node);
  door_.greeted(descriptor, name);
  auto connection = std::make_shared<Connection>(
      ConnectionIdentity{message.routing_id.to_string(), descriptor, std::move(name), door_.who(descriptor), hello.role,
                         hello.incarnation, static_cast<std::size_t>(hello.max_message), std::move(proof)},
      router_, options_.peer_queue);
  if (connection->role() == wire::Role::node) nodes_.came(connection->name(), connection->incarnation());
  if (const ConnectionPtr before = connections_.add(connection)) end(before);
  connected_.store(connections_.size(), std::memory_order_relaxed);
  log_.debug("a connection was greeted", {{"node", connection->name()},
                                          {"role", connection->role() == wire::Role::node ? "node" : "client"},
                                          {"incarnation", connection->incarnation()}});
  connection->answer(introduction(wire::EnvelopeType::welcome, options_), false);
  if (connection->role() == wire::Role::node && connection->key() != nullptr) {
    told_.key_proved(connection->name(), *connection->key());
  }
  return connection;
}

void CallServer::refuse_hello(std::string_view routing_id, std::string_view code, std::string_view text) {
  refused_.fetch_add(1, std::memory_order_relaxed);
  if (const auto line = refusal_lines_.ask(code)) {
    log_.warn("a connection was refused", {{"code", code}, {"reason", text}, {"suppressed", line.suppressed}});
  }
  refuse(routing_id, 0, code, text);
}

void CallServer::refuse(std::string_view routing_id, std::uint64_t attempt, std::string_view code,
                        std::string_view text) {
  wire::Envelope envelope;
  envelope.type = wire::EnvelopeType::refused;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  envelope.name = code;
  envelope.text = text;
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  router_->send(routing_id, sink.bytes());
}

void CallServer::malformed(Received& message, const ConnectionPtr& connection, std::string_view what,
                           const CallIds& ids) {
  const std::string_view routing_id = message.routing_id.to_string_view();
  malformed_.fetch_add(1, std::memory_order_relaxed);
  if (const auto line = refusal_lines_.ask("malformed")) {
    log_.warn("a frame could not be read",
              {{"from", connection == nullptr ? "an unknown" : connection->name()},
               {"reason", what},
               {"suppressed", line.suppressed}},
              ids);
  }
  const bool told = connection != nullptr ? std::exchange(connection->warned, true) : !refusals_.ask(routing_id);
  if (!told) refuse(routing_id, 0, "malformed", "a frame could not be read: " + std::string(what));
  const auto key = net::proven_key(message.frame);
  const bool is_shut_out = door_.misbehaved(descriptor_of(message.frame), key ? &*key : nullptr,
                                            net::TurnedAway::malformed, what, std::chrono::steady_clock::now());
  if (is_shut_out && connection != nullptr) end(connection);
}

// -------------------------------------------------------------------------------------------------------- the end

void CallServer::drain_monitor() {
  const auto now = std::chrono::steady_clock::now();
  while (const auto happened = monitor_->next()) {
    if (happened->event == net::Monitor::Event::accepted) {
      connections_.accepted(happened->value);
      door_.accepted(happened->value, now);
    } else if (happened->event == net::Monitor::Event::disconnected) {
      door_.disconnected(happened->value, now);
      if (ConnectionPtr connection = connections_.disconnected(happened->value)) {
        leaving_.push_back(std::move(connection));
      }
    }
  }
  door_.tick(now);
}

// What came over them had been put into the ROUTER before their end was told: the answer to a forwarded call, perhaps,
// of a node that has then stopped (C-R6). It is read first; not for ever, where others have more and more.
void CallServer::end_leaving(ReceivedBatch& batch) noexcept {
  for (unsigned batches = 0; batches < kBatchesPerLook && router_->look(batch); ++batches) handle_all(batch);
  for (const ConnectionPtr& connection : std::exchange(leaving_, {})) end(connection);
}

void CallServer::end_lost() {
  std::vector<Lost> all;
  {
    const MutexLock lock(mutex_);
    all.swap(lost_);
  }
  for (const Lost& lost : all) {
    for (const ConnectionPtr& connection : connections_.of_node(lost.node, lost.incarnation)) {
      refuse(connection->routing_id(), 0, "lost",
             "node '" + options_.node + "' has taken this node for gone: " + lost.reason);
      end(connection);
    }
  }
}

void CallServer::look_at_keys() {
  end_unlisted();
  if (options_.keyring->own()->key == own_->key) return;
  try {
    take_own_key();
  } catch (const std::exception& failure) {
    log_.error("the new key is not used where this node listens", {{"reason", failure.what()}});
  }
}

// The connections that stand go on with the key before, until their other ends make them anew, which those of nodes do
// when they see our new key.
void CallServer::take_own_key() {
  auto own = options_.keyring->own();
  router_->take_key(own->secret);
  own_ = std::move(own);
  for (const ConnectionPtr& connection : connections_.all()) {
    if (connection->role() != wire::Role::node || std::exchange(connection->from_before, true)) continue;
    from_before_.fetch_add(1, std::memory_order_relaxed);
  }
  told_.own_key_changed(own_);
}

// From this moment nothing of who has no listed key any more is acted on, and nothing is sent there.
void CallServer::end_unlisted() {
  const auto authorized = options_.keyring->authorized();
  for (const ConnectionPtr& connection : connections_.all()) {
    const keys::Identity* owner = authorized->find(*connection->key());
    if (owner != nullptr && *owner == *connection->owner()) continue;
    door_.turn_away(connection->descriptor(), net::TurnedAway::key_taken_away, kTakenAway);
    end(connection);
  }
}

// It may have been taken from the table already.
void CallServer::end(const ConnectionPtr& connection) {
  connections_.remove(connection);
  connected_.store(connections_.size(), std::memory_order_relaxed);
  if (connection->ended) return;
  connection->ended = true;
  if (connection->from_before) from_before_.fetch_sub(1, std::memory_order_relaxed);
  router_->count_unanswerable(connection->end());
  events_->on_gone(*connection);
  if (connection->role() != wire::Role::node) return;
  nodes_.left(connection->name(), connection->incarnation(), connection->asks);
  told_.left();
}

void CallServer::end_all() noexcept {
  for (const ConnectionPtr& connection : router_->take_gone()) end(connection);
  for (const ConnectionPtr& connection : std::exchange(leaving_, {})) end(connection);
  for (const ConnectionPtr& connection : connections_.take_all()) end(connection);
}

}  // namespace busbar::host
