#include "node/node.hpp"

#include <unistd.h>
#include <busbar/limits.hpp>
#include <busbar/names.hpp>
#include <busbar/registry/incarnation.hpp>
#include <busbar/registry/net/address.hpp>
#include <busbar/wire/admin.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include "log/text.hpp"
#include "node/query_answer.hpp"

namespace busbar {

using host::in_quotes;

namespace {

constexpr host::Nanos kStopTime = host::kSecond;  // for a program that embeds a node, and does not say
// How long the others may take to note the withdrawal; and to read their last answers where no time is left.
constexpr host::Nanos kMoment = 200 * host::kMillisecond;

/// The host name with what no node's name may have replaced, and the process's number, so that two programs on one
/// machine do not meet under one name.
std::string name_of_this_process() {
  std::array<char, 48> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  std::string name = host[0] != '\0' ? host.data() : "node";
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_plugin_name(std::string_view(&c, 1)) && c != '.'; }, '-');
  if (!is_plugin_name(name.substr(0, 1))) name.front() = 'n';
  return name + "-" + std::to_string(::getpid());
}

[[noreturn]] void refuse(const NodeOptions& options, const std::string& what, const std::string& expected) {
  throw NodeError("could not make node " + in_quotes(options.name) + ": " + what + ", expected " + expected);
}

void check_address(const NodeOptions& options, const char* field, const std::string& address, bool bind) {
  const std::string found = std::string(field) + " is " + in_quotes(address);
  if (!registry::net::is_address(address, bind)) {
    refuse(options, found,
           bind ? "tcp://HOST:PORT, with * for any port, or ipc://PATH" : "tcp://HOST:PORT or ipc://PATH");
  }
  if (options.insecure || !options.security.key.empty() || registry::net::is_local_address(address)) return;
  refuse(
      options, found,
      "a loopback address, because without keys calls between machines are neither encrypted nor do nodes prove who "
      "they are (hint: make keys with \"busbar keygen\" and set security; only on a network where you trust everybody, "
      "set insecure)");
}

template <class Number>
void check_range(const NodeOptions& options, std::string_view field, Number found, Number least, Number most) {
  if (found >= least && found <= most) return;
  refuse(options, std::string(field) + " is " + std::to_string(found),
         std::to_string(least) + " to " + std::to_string(most));
}

void check_numbers(const NodeOptions& options) {
  using Ms = std::chrono::milliseconds::rep;
  constexpr Ms most = kLongestSilenceMs;
  const Ms heartbeat = options.heartbeat.count();
  check_range<Ms>(options, "heartbeat in ms", heartbeat, kShortestHeartbeatMs, most / 2);
  check_range(options, "lost_after in ms", options.lost_after.count(), 2 * heartbeat, most);
  check_range(options, "max_peers", options.max_peers, 1U, kMostMaxPeers);
  check_range(options, "max_message in bytes", options.max_message, kSmallestSize, kLargestMessage);
  check_range(options, "peer_queue in bytes", options.peer_queue, kSmallestSize, kLargestPeerQueue);
  check_range(options, "peer_calls", options.peer_calls, 1U, kMostPeerCalls);
}

NodeOptions checked(NodeOptions options) {
  if (options.name.empty()) options.name = name_of_this_process();
  if (!is_node_name(options.name)) refuse(options, "that is no name", std::string(kNodeNameRule));
  if (!is_node_name(options.cluster)) {
    refuse(options, "cluster is " + in_quotes(options.cluster), std::string(kNodeNameRule));
  }
  check_address(options, "listen", options.listen, true);
  check_address(options, "registry_listen", options.registry_listen, true);
  for (const std::string& seed : options.join) check_address(options, "join", seed, false);
  if (options.security.key.empty() != options.security.authorized.empty()) {
    refuse(options, "security has one of key and authorized", "both, or none");
  }
  check_numbers(options);
  return options;
}

/// A node's own key must be that of this node. Null: it has none. Errors: keys::KeyError.
std::shared_ptr<keys::Keyring> keyring_of(const NodeOptions& options) {
  if (options.security.key.empty()) return nullptr;
  const auto tell = [log = options.log](bool is_fault, std::string_view text) {
    log.write(is_fault ? host::LogLevel::error : host::LogLevel::info, text);
  };
  auto keyring = std::make_shared<keys::Keyring>(options.security, tell);
  const auto own = keyring->own();
  if (own->owner != keys::Identity{options.name, keys::Role::node}) {
    refuse(options,
           "security.key " + in_quotes(options.security.key.native()) + " is the key of " +
               std::string(keys::name_of(own->owner.role)) + " " + in_quotes(own->owner.name),
           "one of node " + in_quotes(options.name) + " (hint: busbar keygen " + options.name + " --role node)");
  }
  if (!keyring->authorized()->is_node(own->key)) {
    options.log.warn(
        "this node's own key is not in its security.authorized: if it is missing at other nodes, too, they "
        "do not let it in",
        {{"key", own->key.text()}, {"authorized", options.security.authorized.native()}});
  }
  return keyring;
}

std::uint64_t first_incarnation(const std::filesystem::path& directory) {
  const auto now = std::chrono::system_clock::now();
  if (directory.empty()) return registry::unstored_incarnation(now);
  std::filesystem::create_directories(directory);
  return registry::next_incarnation(directory, now);
}

host::CallPlaneOptions plane_options(const NodeOptions& options, std::shared_ptr<keys::Keyring> keyring,
                                     registry::net::DoorReport report, std::function<std::uint64_t()> incarnation) {
  host::CallPlaneOptions out;
  out.node = options.name;
  out.cluster = options.cluster;
  out.incarnation = std::move(incarnation);
  out.keyring = std::move(keyring);
  out.report = std::move(report);
  out.listen = options.listen;
  out.advertise = options.advertise;
  out.max_message = options.max_message;
  out.peer_queue = options.peer_queue;
  out.heartbeat = options.heartbeat;
  out.lost_after = options.lost_after;
  out.max_peers = options.max_peers;
  out.door = options.door;
  return out;
}

registry::ClusterOptions cluster_options(const NodeOptions& options, std::shared_ptr<keys::Keyring> keyring,
                                         registry::net::DoorReport report, const std::string& call_address) {
  registry::ClusterOptions out;
  out.node = options.name;
  out.cluster = options.cluster;
  out.incarnation = first_incarnation(options.state_dir);
  out.listen = options.registry_listen;
  out.advertise = options.advertise;
  out.call_address = call_address;
  out.keyring = std::move(keyring);
  out.door = options.door;
  out.report = std::move(report);
  out.seeds = options.join;
  out.heartbeat = options.heartbeat;
  out.lost_after = options.lost_after;
  out.max_peers = options.max_peers;
  return out;
}

host::DispatchOptions options_of(const CallOptions& given) {
  return {detail::timeout_ms_of(given.timeout),
          {},
          host::CallerIs::here,
          {detail::strategy_wanted(given), given.sticky_key}};
}

std::string in_words(const Response& response) {
  const std::string kind(wire::name_of(response.kind()));
  switch (response.kind()) {
    case Response::Kind::error: {
      const auto part = [](std::string_view before, std::string_view text) {
        return text.empty() ? std::string() : std::string(before) + std::string(text);
      };
      return std::string(response.error_code()) + part(" ", response.bad_rpc_kind()) + part(": ", response.text());
    }
    case Response::Kind::validation_error:
      return kind + ": " + response.value().to_json().dump();
    case Response::Kind::service_timeout:
      return kind + " after " + std::to_string(response.timeout_ms()) + " ms";
    case Response::Kind::missing_id:
      return kind + ": " + std::string(response.field());
    default:
      return kind;
  }
}

}  // namespace

CallFailed::CallFailed(std::string_view service, Response response)
    : std::runtime_error("could not call " + in_quotes(service) + ": " + in_words(response)),
      response_(std::move(response)) {}

// ------------------------------------------------------------------------------------------------------------- life

Node::Node(NodeOptions options) : Node(std::move(options), NotStarted{}) {
  start({{}, [this](const auto& from, std::uint64_t attempt, wire::Bytes body) {
           host::answer_query(*this, *from, attempt, body);
         }});
}

Node::Node(NodeOptions options, NotStarted)
    : options_(checked(std::move(options))),
      turned_away_(options_.log),
      keyring_(keyring_of(options_)),
      pool_(supervisor_, options_.pool),
      dispatcher_(options_.name, registry_, pool_, supervisor_, events_),
      call_plane_(std::make_unique<host::CallPlane>(
          plane_options(options_, keyring_, std::ref(turned_away_), [this] { return cluster_->incarnation(); }),
          options_.log)),
      membership_(std::make_unique<host::Membership>(
          host::Membership::Outcome{[this](std::string_view reason) { refused(reason); }, [this] { joined(); }},
          *call_plane_, events_, options_.state_dir, options_.log)),
      cluster_(std::make_unique<registry::Cluster>(
          cluster_options(options_, keyring_, std::ref(turned_away_), call_plane_->address()), registry_,
          *membership_)) {
  supervisor_.add_duty([this](host::Nanos) {
    time_turns_.fetch_add(1, std::memory_order_relaxed);
    return host::kNever;
  });
}

Node::~Node() { stop(); }

void Node::start(Hooks hooks) {
  hooks_ = std::move(hooks);
  if (options_.insecure) {
    options_.log.warn("insecure: whoever reaches its addresses may call every public service",
                      {{"address", address()}, {"registry_address", registry_address()}});
  }
  if (hooks_.query) dispatcher_.on_query(hooks_.query);
  dispatcher_.limit_peer_calls(options_.peer_calls);
  dispatcher_.on_unasked_answer([this](std::string_view node) {
    turned_away_("calls", registry::net::TurnedAway::late_answer, node,
                 "it has answered a call that it was never asked, or has answered before");
  });
  call_plane_->start(dispatcher_, dispatcher_,
                     {.routability_changed = [this] { cluster_->routability_changed(); },
                      .renewed = [this](const auto& before, const auto& now) { cluster_->replace(before, now); }});
  cluster_->start();
}

void Node::have_threads_turn() noexcept {
  supervisor_.wake_at(host::now_ns());
  call_plane_->ring();
  cluster_->ring();
}

std::vector<Node::Turns> Node::turns() const {
  const host::CallPlaneTurns calls = call_plane_->turns();
  return {{"busbar-time", time_turns_.load(std::memory_order_relaxed)},
          {"busbar-serve", calls.serve},
          {"busbar-peers", calls.peers},
          {"busbar-registry", cluster_->turns()}};
}

void Node::stop() noexcept { stop(host::now_ns() + kStopTime); }

void Node::withdraw(host::Nanos deadline) {
  if (std::exchange(withdrawn_, true)) return;
  registry_.announce_nothing();
  const host::Nanos left = std::clamp<host::Nanos>(deadline - host::now_ns(), 0, kMoment);
  cluster_->wait_acknowledged(std::chrono::milliseconds(left / host::kMillisecond));
  dispatcher_.refuse_requests();
}

host::PoolStopped Node::drain(host::Nanos deadline) {
  if (drained_) return *drained_;
  // First, while all that they may yet ask is still there: handlers make calls of their own.
  dispatcher_.wait_for_requests(deadline);
  drained_ = pool_.stop(deadline);
  return *drained_;
}

// The others are told goodbye when they wait for nothing from here any more, for that ends their calls here. The
// supervisor is last, because calls that end look at their deadlines.
void Node::stop(host::Nanos deadline) noexcept {
  if (std::exchange(stopped_, true)) return;
  withdraw(deadline);
  drain(deadline);
  call_plane_->wind_down(std::max(deadline, host::now_ns() + kMoment));
  call_plane_->stop();
  cluster_->stop();
  supervisor_.stop();
}

// ---------------------------------------------------------------------------------------------------------- joining

void Node::joined() {
  std::vector<std::function<void()>> tell;
  {
    const MutexLock lock(mutex_);
    if (join_state_ != JoinState::joining) return;
    join_state_ = JoinState::joined;
    tell.swap(when_joined_);
  }
  decided_.notify_all();
  for (const auto& each : tell) each();
}

void Node::when_joined(std::function<void()> tell) {
  {
    const MutexLock lock(mutex_);
    if (join_state_ != JoinState::joined) {
      when_joined_.push_back(std::move(tell));
      return;
    }
  }
  tell();
}

void Node::refused(std::string_view reason) {
  {
    const MutexLock lock(mutex_);
    join_state_ = JoinState::refused;
    refusal_ = reason;
  }
  decided_.notify_all();
  registry_.refresh();  // wakes those who wait for a service
  if (hooks_.refused) hooks_.refused(reason);
}

JoinState Node::join_state() const {
  const MutexLock lock(mutex_);
  return join_state_;
}

std::string Node::refusal() const {
  const MutexLock lock(mutex_);
  return refusal_;
}

JoinState Node::wait_joined(std::chrono::milliseconds timeout) const {
  const auto until = std::chrono::steady_clock::now() + timeout;
  const MutexLock lock(mutex_);
  while (join_state_ == JoinState::joining) {
    if (decided_.wait_until(mutex_, until) == std::cv_status::timeout) break;
  }
  return join_state_;
}

// ---------------------------------------------------------------------------------------------------------- calling

bool Node::wait_for(std::string_view service, std::chrono::milliseconds timeout) const {
  const auto provided = [&] {
    return registry_.lookup(service, [](const registry::ServiceEntry* entry) { return entry != nullptr; });
  };
  registry_.wait_until(std::chrono::steady_clock::now() + timeout,
                       [&] { return provided() || join_state() == JoinState::refused; });
  return provided();
}

std::vector<host::Provider> Node::discover(std::string_view service) const {
  return dispatcher_.discover_service(Message(service));
}

Message Node::dispatch(Message message, const CallOptions& given) {
  if (message.origin_node().empty()) message.with_origin_node(name());
  dispatcher_.dispatch(message, options_of(given));
  return message;
}

void Node::dispatch_async(Message message, host::Callback callback, const CallOptions& given) {
  if (message.origin_node().empty()) message.with_origin_node(name());
  dispatcher_.dispatch_async(std::move(message), std::move(callback), options_of(given));
}

}  // namespace busbar
