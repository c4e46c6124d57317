// The thread that drives a node's membership: what comes from its sockets and from the registry goes into the state
// machine, and what that wants done is done.
#include "busbar/registry/cluster.hpp"

#include <busbar/pulse.hpp>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <utility>

#include "membership/membership.hpp"
#include "net/plane.hpp"

namespace busbar::registry {

namespace {

constexpr int kQueued = 256;  // messages for one connection; what is lost beyond is told again with a heartbeat
constexpr std::chrono::milliseconds kGoodbyeLinger{200};
constexpr std::chrono::seconds kRowsAge{1};  // how old round trips may be while nothing else changes

std::uint64_t random_seed() {
  std::random_device random;
  return (std::uint64_t{random()} << 32U) | random();
}

net::Plane::Options plane_options(const ClusterOptions& options) {
  net::Plane::Options out;
  out.listen = options.listen;
  out.sockets.max_message = wire::kMaxMessage;
  out.sockets.heartbeat = options.heartbeat;
  out.sockets.lost_after = options.lost_after;
  out.sockets.high_water_mark = kQueued;
  out.max_peers = options.max_peers;
  out.lookup = options.lookup;
  out.keyring = options.keyring;
  out.door = options.door;
  out.report = options.report;
  out.forget_callers = std::max<std::chrono::milliseconds>(std::chrono::minutes(1), 10 * options.lost_after);
  return out;
}

MembershipOptions membership_options(const ClusterOptions& options, const std::string& registry_address) {
  MembershipOptions out;
  out.node = options.node;
  out.cluster = options.cluster;
  out.incarnation = options.incarnation;
  out.registry_address = registry_address;
  out.call_address = options.call_address;
  for (const std::string& seed : options.seeds) (net::has_name(seed) ? out.seed_names : out.seeds).push_back(seed);
  out.heartbeat = options.heartbeat;
  out.lost_after = options.lost_after;
  out.max_peers = options.max_peers;
  out.random_seed = random_seed();
  return out;
}

// Of all the kinds of visitors, the one for this alternative.
template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;  // clang 14 does not find it by itself

// A type that somebody else has made up, which may be as long as a text may be.
std::string shown(const std::string& type) { return type.substr(0, 32); }

std::span<const std::uint8_t> bytes_of(const zmq::message_t& message) {
  return {message.data<std::uint8_t>(), message.size()};
}

}  // namespace

std::string_view name_of(NodeState state) noexcept {
  switch (state) {
    case NodeState::self:
      return "self";
    case NodeState::joining:
      return "joining";
    case NodeState::up:
      return "up";
    case NodeState::suspect:
      return "suspect";
    case NodeState::unreachable:
      return "unreachable";
  }
  return "?";
}

class Cluster::Core {
 public:
  Core(ClusterOptions options, Registry& registry, ClusterListener& listener)
      : registry_(registry),
        listener_(listener),
        keyring_(options.keyring),
        plane_(plane_options(options)),
        bound_address_(plane_.bound()),
        address_(net::advertised_address(bound_address_, options.advertise)),
        machine_(membership_options(options, address_), {}),
        incarnation_(options.incarnation) {
    publish_rows(Time::clock::now());
  }
  ~Core() { stop(); }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  const std::string& address() const noexcept { return address_; }
  const std::string& bound_address() const noexcept { return bound_address_; }
  std::uint64_t incarnation() const noexcept { return incarnation_.load(); }
  bool introduced() const noexcept { return introduced_.load(); }
  std::uint64_t renewing() const noexcept { return plane_.renewing(); }
  void start();
  std::vector<NodeRow> rows() const;
  std::vector<DepartedRow> departed() const;
  void routability_changed();
  void replace(std::shared_ptr<RemoteNode> before, std::shared_ptr<RemoteNode> node);
  bool turns() noexcept {
    const bool turned = pulse_.ask();
    plane_.ring();
    return turned;
  }
  bool wait_acknowledged(std::chrono::milliseconds at_most);
  void stop() noexcept;

 private:
  /// A member as others see it, from any thread.
  struct Member {
    explicit Member(std::shared_ptr<RemoteNode> given) : node(std::move(given)) {}
    /// The same, reached in another way.
    Member(const Member& before, std::shared_ptr<RemoteNode> given)
        : node(std::move(given)),
          since(before.since),
          version_since(before.version_since.load()),
          was_routable(before.was_routable.load()),
          last_state(before.last_state.load()),
          state_since(before.state_since.load()) {}

    const std::shared_ptr<RemoteNode> node;  // null: the listener could not make what reaches it
    const std::chrono::system_clock::time_point since = std::chrono::system_clock::now();
    std::atomic<std::chrono::system_clock::time_point> version_since{since};
    std::atomic<bool> was_routable{false};
    std::atomic<NodeState> last_state{NodeState::joining};
    std::atomic<std::chrono::system_clock::time_point> state_since{since};

    NodeState state();

   private:
    NodeState look();
  };
  struct Snapshot {
    NodeRow self;
    std::vector<std::pair<MemberRow, std::shared_ptr<Member>>> others;
    std::shared_ptr<const std::vector<DepartedRow>> departed;
  };

  void run();
  void look_at_keys();
  void take(net::PlaneEvent event);
  Actions take(const net::LinkSaid& said);
  Actions take(const net::CallerSaid& said);
  Actions take_bad(CallerId caller, std::string_view what);
  void count_refusals(CallerId caller, const Actions& actions);
  void perform(const Actions& actions);
  template <class Destination>
  void send(Destination to, const std::shared_ptr<const wire::Message>& message);
  bool encode(const std::shared_ptr<const wire::Message>& message);
  void joined(const NodeRecord& record);
  void changed(const NodeRecord& record);
  void suspected(const std::string& name, bool is_suspected);
  void left(const std::string& name, std::string_view reason);
  void replace_all();
  void replaced(const std::shared_ptr<RemoteNode>& before, const std::shared_ptr<RemoteNode>& node);
  void tell_acknowledged(std::uint64_t asked);
  void publish_rows(Time now);
  NodeRow own_row();
  std::shared_ptr<const std::vector<DepartedRow>> departed_rows(Time now) const;
  std::shared_ptr<const Snapshot> snapshot() const;

  // Of the cluster's thread alone, once it runs.
  Registry& registry_;
  ClusterListener& listener_;
  const std::shared_ptr<keys::Keyring> keyring_;  // null: without keys
  net::Plane plane_;
  const std::string bound_address_;
  const std::string address_;
  Membership machine_;
  std::map<std::string, std::shared_ptr<Member>, std::less<>> members_;
  std::shared_ptr<const wire::Message> encoded_;  // the message whose bytes are in `bytes_`: it may go to many
  zmq::message_t bytes_;
  bool rows_changed_ = true;
  Time rows_published_{};
  const std::chrono::system_clock::time_point since_ = std::chrono::system_clock::now();
  std::uint64_t version_ = 0;  // of this node's record, as last seen
  std::chrono::system_clock::time_point version_since_{};
  std::shared_ptr<const std::vector<DepartedRow>> departed_;

  // For all threads.
  std::atomic<std::uint64_t> incarnation_;
  std::atomic<bool> introduced_{false};
  std::atomic<bool> local_changed_{false};
  std::atomic<bool> keys_changed_{false};
  std::atomic<bool> stopping_{false};
  Pulse pulse_;
  std::atomic<std::uint64_t> asked_{0};  // how often somebody has begun to wait for acknowledgements
  std::atomic<bool> has_replacements_{false};
  mutable Mutex mutex_;
  std::vector<std::pair<std::shared_ptr<RemoteNode>, std::shared_ptr<RemoteNode>>> replacements_
      BUSBAR_GUARDED_BY(mutex_);  // each before, and from now on
  std::shared_ptr<const Snapshot> snapshot_ BUSBAR_GUARDED_BY(mutex_);
  std::uint64_t acknowledged_ BUSBAR_GUARDED_BY(mutex_) = 0;  // the last of these whose wait is over
  std::condition_variable_any acknowledgement_;

  Mutex life_;  // of starting and stopping
  bool stopped_ BUSBAR_GUARDED_BY(life_) = false;
  std::thread thread_ BUSBAR_GUARDED_BY(life_);
  keys::Keyring::Subscription keys_ BUSBAR_GUARDED_BY(life_);
};

void Cluster::Core::start() {
  const MutexLock lock(life_);
  if (stopped_ || thread_.joinable()) return;
  thread_ = std::thread([this] { run(); });
  if (keyring_ != nullptr) {
    keys_ = keyring_->on_change([this] {
      keys_changed_ = true;
      plane_.ring();
    });
  }
  const auto tell = [this] {
    local_changed_ = true;
    plane_.ring();
  };
  registry_.on_local_change(tell);
  tell();  // there may have been one while nobody was told
}

void Cluster::Core::stop() noexcept {
  const MutexLock lock(life_);
  if (std::exchange(stopped_, true) || !thread_.joinable()) return;
  registry_.on_local_change({});
  keys_.reset();
  stopping_ = true;
  plane_.ring();
  thread_.join();
}

void Cluster::Core::run() {
  ::pthread_setname_np(::pthread_self(), "busbar-registry");
  machine_.local_services_changed(Time::clock::now(), registry_.local_record());
  perform(machine_.start(Time::clock::now()));
  while (!stopping_) {
    if (!introduced_ && machine_.introduced()) {
      introduced_ = true;
      listener_.introduced();
    }
    const Time now = Time::clock::now();
    if (rows_changed_ || now - rows_published_ >= kRowsAge) publish_rows(now);
    plane_.wait(machine_.next_deadline());
    pulse_.answer();
    const std::uint64_t asked = asked_;  // first: who asks means what has changed before
    if (local_changed_.exchange(false)) {
      perform(machine_.local_services_changed(Time::clock::now(), registry_.local_record()));
      rows_changed_ = true;
    }
    if (keys_changed_.exchange(false)) look_at_keys();
    if (has_replacements_.exchange(false)) replace_all();
    for (auto& event : plane_.receive()) take(std::move(event));
    if (Time::clock::now() >= machine_.next_deadline()) perform(machine_.tick(Time::clock::now()));
    tell_acknowledged(asked);
  }
  perform(machine_.leave(Time::clock::now()));
  plane_.close_all(kGoodbyeLinger);
  while (!members_.empty()) left(std::string(members_.begin()->first), "this node leaves the cluster");
  publish_rows(Time::clock::now());
}

void Cluster::Core::look_at_keys() {
  try {
    plane_.look_at_keys();
  } catch (const std::exception& error) {
    listener_.warn(error.what());
  }
}

void Cluster::Core::take(net::PlaneEvent event) {
  const Time now = Time::clock::now();
  perform(std::visit(Overloaded{
                         [&](const net::LinkUp& up) { return machine_.link_up(now, up.link, up.proven); },
                         [&](const net::LinkRenewed& up) { return machine_.link_renewed(now, up.link, up.proven); },
                         [&](const net::LinkDown& down) { return machine_.link_down(now, down.link, down.reason); },
                         [&](const net::LinkSaid& said) { return take(said); },
                         [&](const net::CallerSaid& said) { return take(said); },
                         [&](const net::CallerGone& gone) { return machine_.caller_gone(now, gone.caller); },
                         [&](const net::NameResolved& name) {
                           return machine_.resolved(now, name.name, name.found.addresses, name.found.error);
                         },
                     },
                     event));
}

Actions Cluster::Core::take(const net::LinkSaid& said) {
  const Time now = Time::clock::now();
  if (!said.whole) return machine_.bad_from_link(now, said.link, "several frames, expected one");
  try {
    return machine_.from_link(now, said.link, wire::decode(bytes_of(said.bytes)));
  } catch (const wire::BadMessage& bad) {
    return machine_.bad_from_link(now, said.link, bad.what());
  }
}

Actions Cluster::Core::take(const net::CallerSaid& said) {
  const Time now = Time::clock::now();
  if (!said.whole) return take_bad(said.caller, "several frames, expected one");
  try {
    const wire::Message message = wire::decode(bytes_of(said.bytes));
    if (const auto* other = std::get_if<wire::OtherMajor>(&message)) {
      plane_.misbehaved(said.caller, net::TurnedAway::other_version,
                        "its " + shown(other->type) + " is of version " + std::to_string(other->major) +
                            " of the registry's protocol, expected " + std::to_string(wire::kMajor));
    }
    const std::uint64_t ignored = machine_.ignored();
    Actions actions = machine_.from_caller(now, said.caller, message, plane_.proven(said.caller));
    count_refusals(said.caller, actions);
    if (const std::string* name = machine_.name_of(said.caller)) {
      plane_.greeted(said.caller, *name);
      if (machine_.ignored() != ignored) {
        plane_.misbehaved(said.caller, net::TurnedAway::not_allowed,
                          "it has sent a message that is not its own to send: of another node, or of who was dialled");
      }
    }
    return actions;
  } catch (const wire::BadMessage& bad) {
    return take_bad(said.caller, bad.what());
  }
}

// A name that is not its key's, or another cluster's, is a wrong; who is refused for something else may have done none.
void Cluster::Core::count_refusals(CallerId caller, const Actions& actions) {
  for (const Action& action : actions) {
    const auto* sent = std::get_if<SendToCaller>(&action);
    const auto* refused = sent != nullptr ? std::get_if<wire::Refused>(sent->message.get()) : nullptr;
    if (refused == nullptr || sent->caller != caller) continue;
    if (refused->code == wire::kRefusedKey) plane_.misbehaved(caller, net::TurnedAway::other_name, refused->text);
    if (refused->code == wire::kRefusedCluster) {
      plane_.misbehaved(caller, net::TurnedAway::other_cluster, refused->text);
    }
  }
}

Actions Cluster::Core::take_bad(CallerId caller, std::string_view what) {
  plane_.misbehaved(caller, net::TurnedAway::malformed, what);
  return machine_.bad_from_caller(Time::clock::now(), caller, what);
}

void Cluster::Core::perform(const Actions& actions) {
  for (const Action& action : actions) {
    std::visit(Overloaded{
                   [&](const Connect& connect) { plane_.connect(connect.link, connect.address, connect.node); },
                   [&](const Close& close) { plane_.close(close.link); },
                   [&](const Resolve& resolve) { plane_.resolve(resolve.name); },
                   [&](const SendToLink& sent) { send(sent.link, sent.message); },
                   [&](const SendToCaller& sent) { send(sent.caller, sent.message); },
                   [&](const NodeJoined& node) { joined(node.record); },
                   [&](const RecordChanged& node) { changed(node.record); },
                   [&](const NodeSuspected& node) { suspected(node.name, true); },
                   [&](const NodeTrusted& node) { suspected(node.name, false); },
                   [&](const NodeLeft& node) { left(node.name, node.reason); },
                   [&](const RefusedHere& refused) { listener_.refused(refused.text); },
                   [&](const IncarnationRaised& raised) {
                     incarnation_ = raised.incarnation;
                     rows_changed_ = true;
                     listener_.incarnation_raised(raised.incarnation);
                   },
                   [&](const Warn& warning) { listener_.warn(warning.text); },
               },
               action);
  }
  encoded_.reset();
}

template <class Destination>
void Cluster::Core::send(Destination to, const std::shared_ptr<const wire::Message>& message) {
  if (encode(message)) plane_.send(to, bytes_);
}

// False: it cannot be sent.
bool Cluster::Core::encode(const std::shared_ptr<const wire::Message>& message) {
  if (encoded_ == message) return true;
  encoded_.reset();
  try {
    const std::vector<std::uint8_t> bytes = wire::encode(*message);
    if (bytes.size() > wire::kMaxMessage) {
      listener_.warn("cannot tell other nodes what this one offers: its " + wire::type_of(*message) + " has " +
                     std::to_string(bytes.size()) + " bytes, at most " + std::to_string(wire::kMaxMessage) +
                     " are allowed; register fewer services");
      return false;
    }
    bytes_.rebuild(bytes.data(), bytes.size());
  } catch (const std::invalid_argument& error) {
    listener_.warn("cannot send a " + wire::type_of(*message) + " to other nodes: " + error.what());
    return false;
  }
  encoded_ = message;
  return true;
}

void Cluster::Core::joined(const NodeRecord& record) {
  std::shared_ptr<RemoteNode> node;
  try {
    node = listener_.node_joined(record);
  } catch (const std::exception& error) {
    listener_.warn("node " + record.name + " cannot be called at " + record.call_address + ": " + error.what());
  }
  members_.insert_or_assign(record.name, std::make_shared<Member>(node));
  if (node != nullptr) registry_.put_node(std::move(node), record.services);
  rows_changed_ = true;
}

void Cluster::Core::changed(const NodeRecord& record) {
  const auto member = members_.find(record.name);
  if (member == members_.end()) return;
  member->second->version_since = std::chrono::system_clock::now();
  if (member->second->node != nullptr) registry_.put_node(member->second->node, record.services);
  rows_changed_ = true;
}

void Cluster::Core::suspected(const std::string& name, bool is_suspected) {
  const auto member = members_.find(name);
  if (member == members_.end() || member->second->node == nullptr) return;
  member->second->node->set_suspected(is_suspected);
  rows_changed_ = true;
  listener_.node_suspected(name, is_suspected);
}

void Cluster::Core::left(const std::string& name, std::string_view reason) {
  const auto member = members_.extract(name);
  if (!member) return;
  rows_changed_ = true;
  const auto& node = member.mapped()->node;
  if (node == nullptr) return;
  registry_.remove_node(node);
  listener_.node_left(node, reason);
}

void Cluster::Core::replace(std::shared_ptr<RemoteNode> before, std::shared_ptr<RemoteNode> node) {
  {
    const MutexLock lock(mutex_);
    replacements_.emplace_back(std::move(before), std::move(node));
  }
  has_replacements_ = true;
  plane_.ring();
}

void Cluster::Core::replace_all() {
  decltype(replacements_) all;
  {
    const MutexLock lock(mutex_);
    all.swap(replacements_);
  }
  for (const auto& [before, node] : all) replaced(before, node);
}

void Cluster::Core::replaced(const std::shared_ptr<RemoteNode>& before, const std::shared_ptr<RemoteNode>& node) {
  const auto member = members_.find(node->name());
  if (member == members_.end() || member->second->node != before) return listener_.node_replaced(node);
  node->set_suspected(before->suspected());
  member->second = std::make_shared<Member>(*member->second, node);
  registry_.replace_node(before, node);
  rows_changed_ = true;
  listener_.node_replaced(before);
}

void Cluster::Core::tell_acknowledged(std::uint64_t asked) {
  {
    const MutexLock lock(mutex_);
    if (acknowledged_ >= asked || !machine_.acknowledged()) return;
    acknowledged_ = asked;
  }
  acknowledgement_.notify_all();
}

bool Cluster::Core::wait_acknowledged(std::chrono::milliseconds at_most) {
  {
    const MutexLock lock(life_);
    if (stopped_ || !thread_.joinable()) return true;  // nobody knows this node
  }
  const auto until = Time::clock::now() + at_most;
  const std::uint64_t mine = ++asked_;
  plane_.ring();
  const MutexLock lock(mutex_);
  while (acknowledged_ < mine) {
    if (acknowledgement_.wait_until(mutex_, until) == std::cv_status::timeout) break;
  }
  return acknowledged_ >= mine;
}

void Cluster::Core::publish_rows(Time now) {
  auto next = std::make_shared<Snapshot>();
  next->self = own_row();
  for (MemberRow& row : machine_.rows()) {
    const auto member = members_.find(row.name);
    if (member != members_.end()) next->others.emplace_back(std::move(row), member->second);
  }
  if (rows_changed_) departed_ = departed_rows(now);
  next->departed = departed_;
  rows_changed_ = false;
  rows_published_ = now;
  const std::shared_ptr<const Snapshot> published = std::move(next);
  {
    auto shared = published;
    const MutexLock lock(mutex_);
    snapshot_.swap(shared);
  }
  // Who came up while nobody could find it in the rows is remembered here (see routability_changed).
  for (const auto& [row, member] : published->others) member->state();
}

NodeRow Cluster::Core::own_row() {
  const NodeRecord& self = machine_.record();
  if (std::exchange(version_, self.version) != self.version) version_since_ = std::chrono::system_clock::now();
  return {.name = self.name,
          .state = NodeState::self,
          .state_since = since_,
          .call_address = self.call_address,
          .registry_address = self.registry_address,
          .incarnation = self.incarnation,
          .version = self.version,
          .since = since_,
          .version_since = version_since_,
          .services = self.services.size()};
}

std::shared_ptr<const std::vector<DepartedRow>> Cluster::Core::departed_rows(Time now) const {
  auto rows = std::make_shared<std::vector<DepartedRow>>();
  const auto wall_now = std::chrono::system_clock::now();
  for (const auto& [name, entry] : machine_.departed().entries()) {
    const auto ago = std::chrono::duration_cast<std::chrono::system_clock::duration>(now - entry.left);
    rows->push_back({.name = name,
                     .registry_address = entry.registry_address,
                     .incarnation = entry.incarnation,
                     .may_return = !entry.is_over,
                     .since = wall_now - ago,
                     .reason = entry.reason});
  }
  return rows;
}

std::shared_ptr<const Cluster::Core::Snapshot> Cluster::Core::snapshot() const {
  const MutexLock lock(mutex_);
  return snapshot_;
}

NodeState Cluster::Core::Member::state() {
  const NodeState now = look();
  if (last_state.exchange(now) != now) state_since = std::chrono::system_clock::now();
  return now;
}

NodeState Cluster::Core::Member::look() {
  if (node != nullptr && node->routable()) {
    was_routable = true;
    return node->suspected() ? NodeState::suspect : NodeState::up;
  }
  return was_routable ? NodeState::unreachable : NodeState::joining;
}

std::vector<NodeRow> Cluster::Core::rows() const {
  const auto known = snapshot();
  std::vector<NodeRow> out{known->self};
  for (const auto& [row, member] : known->others) {
    out.push_back({.name = row.name,
                   .state = member->state(),
                   .state_since = member->state_since,
                   .call_address = row.call_address,
                   .registry_address = row.registry_address,
                   .incarnation = row.incarnation,
                   .version = row.version,
                   .since = member->since,
                   .version_since = member->version_since,
                   .round_trip = row.round_trip,
                   .services = row.services});
  }
  return out;
}

std::vector<DepartedRow> Cluster::Core::departed() const { return *snapshot()->departed; }

void Cluster::Core::routability_changed() {
  const auto known = snapshot();
  for (const auto& [row, member] : known->others) member->state();  // remembers who was routable
  registry_.refresh();
}

Cluster::Cluster(ClusterOptions options, Registry& registry, ClusterListener& listener) {
  try {
    core_ = std::make_unique<Core>(std::move(options), registry, listener);
  } catch (const net::SocketError& error) {
    throw ClusterError(error.what());
  }
}
Cluster::~Cluster() = default;
const std::string& Cluster::address() const noexcept { return core_->address(); }
const std::string& Cluster::bound_address() const noexcept { return core_->bound_address(); }
std::uint64_t Cluster::incarnation() const noexcept { return core_->incarnation(); }
void Cluster::start() { core_->start(); }
bool Cluster::introduced() const noexcept { return core_->introduced(); }
std::uint64_t Cluster::renewing() const noexcept { return core_->renewing(); }
std::vector<NodeRow> Cluster::rows() const { return core_->rows(); }
std::vector<DepartedRow> Cluster::departed() const { return core_->departed(); }
void Cluster::routability_changed() { core_->routability_changed(); }
void Cluster::replace(std::shared_ptr<RemoteNode> before, std::shared_ptr<RemoteNode> node) {
  core_->replace(std::move(before), std::move(node));
}
bool Cluster::turns() noexcept { return core_->turns(); }
bool Cluster::wait_acknowledged(std::chrono::milliseconds at_most) { return core_->wait_acknowledged(at_most); }
void Cluster::stop() noexcept { core_->stop(); }

}  // namespace busbar::registry
