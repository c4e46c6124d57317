#include "transport/call_peers.hpp"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "pool/alternate_stack.hpp"

namespace busbar::host {

namespace {

// How long the thread looks for more before it sleeps, where requests are under way.
constexpr Nanos kAwakeFor = 50 * kMicrosecond;
constexpr unsigned kYields = 1'000;

// Who posts many requests posts the next within the first of these; and how long they are waited for in all.
constexpr Nanos kNextWithin = 2 * kMicrosecond;
constexpr Nanos kGatherFor = 40 * kMicrosecond;

}  // namespace

CallPeers::CallPeers(zmq::context_t& context, const CallPlaneOptions& options, Logger log)
    : context_(context),
      options_(options),
      log_(std::move(log)),
      own_(options.keyring != nullptr ? options.keyring->own() : nullptr) {}

CallPeers::~CallPeers() { stop(); }

void CallPeers::start(PeerEvents& events, std::function<void()> routability_changed, const ConnectedNodes* callers,
                      Renewed renewed) {
  shared_->events = &events;
  routability_changed_ = std::move(routability_changed);
  callers_ = callers;
  renewed_ = std::move(renewed);
  if (options_.keyring != nullptr) {
    keys_ = options_.keyring->on_change([this] {
      keys_changed_ = true;
      ring();
    });
  }
  thread_ = std::thread([this] { run(); });
}

std::shared_ptr<Link> CallPeers::make(std::string name, std::uint64_t incarnation, std::string address) const {
  const Link::Limits limits{options_.max_message, options_.peer_queue};
  return std::make_shared<Link>(std::move(name), incarnation, std::move(address), limits, shared_);
}

std::shared_ptr<Peer> CallPeers::add(std::string name, std::uint64_t incarnation, std::string address) {
  auto link = make(std::move(name), incarnation, std::move(address));
  {
    const MutexLock lock(mutex_);
    if (stopped_) return link;
    std::erase_if(links_, [](const auto& one) { return one.expired(); });
    links_.push_back(link);
    added_.push_back(link);
  }
  shared_->bell.ring();
  return link;
}

void CallPeers::drop(const std::shared_ptr<Peer>& peer, std::string_view reason) {
  static_cast<Link&>(*peer).drop(reason);
}

void CallPeers::own_key_changed(std::shared_ptr<const keys::OwnKey> own) noexcept {
  {
    const MutexLock lock(mutex_);
    next_own_ = std::move(own);
  }
  keys_changed_ = true;
  ring();
}

void CallPeers::key_proved(const std::string& node, const keys::PublicKey& key) noexcept {
  try {
    const MutexLock lock(mutex_);
    proved_.insert_or_assign(node, key);
  } catch (const std::bad_alloc&) {
    return;  // it is found out when the key before is taken away
  }
  keys_changed_ = true;
  ring();
}

std::vector<std::shared_ptr<Link>> CallPeers::all() {
  std::vector<std::shared_ptr<Link>> links;
  const MutexLock lock(mutex_);
  for (const auto& one : links_) {
    if (auto link = one.lock()) links.push_back(std::move(link));
  }
  return links;
}

void CallPeers::let_go(const NodeStart& node) {
  for (const auto& link : all()) {
    if (link->name() == node.first && link->incarnation() == node.second) link->let_go();
  }
}

std::vector<NodeStart> CallPeers::say_closing() {
  std::vector<NodeStart> told;
  for (const auto& link : all()) {
    if (link->say_closing()) told.emplace_back(link->name(), link->incarnation());
  }
  return told;
}

void CallPeers::stop() noexcept {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    added_.clear();
  }
  keys_.reset();
  stopping_ = true;
  shared_->bell.ring();
  if (thread_.joinable()) thread_.join();
}

void CallPeers::fill(CallPlaneStats& stats) const noexcept {
  stats.peers_up += up_.load(std::memory_order_relaxed);
  stats.renewing += renewing_.load(std::memory_order_relaxed);
  stats.malformed += shared_->malformed.load(std::memory_order_relaxed);
}

void CallPeers::run() noexcept {
  const AlternateStack stack;
  ::pthread_setname_np(::pthread_self(), "busbar-peers");
  for (;;) {
    shared_->bell.hush();
    pulse_.answer();
    adopt_added();
    const Nanos due = attend_all();
    if (stopping_ && keepers_.empty()) return;
    polled_.assign(1, {});
    for (const auto& keeper : keepers_) keeper->descriptors(polled_);
    if (due == 0 || !wait_awake()) shared_->bell.sleep(polled_.data(), polled_.size(), due);
    if (due != 0) let_more_come();
  }
}

// Whoever woke us has more to post, and who sends us answers more to send. They get the processor, and a moment, before
// anything is done about the first one: else envelopes travel alone, and each of them wakes six threads.
void CallPeers::let_more_come() noexcept {
  const auto under_way = [this] {
    std::uint64_t sum = 0;
    for (const auto& keeper : keepers_) sum += keeper->under_way();
    return sum;
  };
  const Nanos begun = now_ns();
  Nanos grew = begun;
  std::uint64_t seen = under_way();
  const auto enough = [&] {
    const Nanos now = now_ns();
    const std::uint64_t found = under_way();
    if (found == seen) return now - grew >= kNextWithin;
    seen = found;
    grew = now;
    return now - begun >= kGatherFor;
  };
  yields_.yield_until(enough, kYields);
}

// Where requests are under way, their answers are not far, and a thread that sleeps is woken across processors for much
// more than a few yields cost. Returns whether there is something to do.
bool CallPeers::wait_awake() noexcept {
  const auto works = [](const auto& keeper) { return keeper->works(); };
  if (std::none_of(keepers_.begin(), keepers_.end(), works)) return false;
  const Nanos until = now_ns() + kAwakeFor;
  bool yielded = false, found = false;
  const auto ready = [&] {
    if (!std::exchange(yielded, true)) return false;  // what came was taken in a moment ago
    found = shared_->bell.rung() || ::poll(polled_.data() + 1, polled_.size() - 1, 0) > 0;
    return found || now_ns() >= until;
  };
  yields_.yield_until(ready, kYields);
  return found;
}

void CallPeers::adopt_added() {
  std::vector<std::shared_ptr<Link>> added;
  {
    const MutexLock lock(mutex_);
    added.swap(added_);
  }
  for (auto& link : added) {
    keepers_.push_back(std::make_unique<LinkKeeper>(std::move(link), context_, options_, log_, *shared_->events,
                                                    resolver_, own_, callers_));
  }
}

// Returns when something is due.
Nanos CallPeers::attend_all() {
  const Nanos now = now_ns();
  const bool stopping = stopping_.load(std::memory_order_relaxed);
  const bool keys_changed = keys_changed_.exchange(false);
  bool changed = keys_changed;
  Nanos due = descriptors_.look(now);
  std::uint64_t up = 0, renewing = 0;
  if (keys_changed) look_at_keys(now);
  for (const auto& keeper : keepers_) {
    if (stopping) keeper->end("this node is stopping");
    changed |= keeper->attend(now, polled_);
    if (const auto before = keeper->take_replaced(); before != nullptr && renewed_) renewed_(before, keeper->link());
    due = std::min(due, keeper->due());
    if (keeper->up()) ++up;
    if (keeper->renewing()) ++renewing;
  }
  std::erase_if(keepers_, [](const auto& keeper) { return keeper->over(); });
  up_.store(up, std::memory_order_relaxed);
  renewing_.store(renewing, std::memory_order_relaxed);
  if (!stopping) renew_outdated();
  if (changed && routability_changed_) routability_changed_();
  return due;
}

void CallPeers::look_at_keys(Nanos now) {
  std::map<std::string, keys::PublicKey> proved;
  std::shared_ptr<const keys::OwnKey> own;
  {
    const MutexLock lock(mutex_);
    proved.swap(proved_);
    own.swap(next_own_);
  }
  if (own != nullptr) own_ = own;
  for (const auto& keeper : keepers_) {
    keeper->look_at_keys(now);
    if (own != nullptr) keeper->own_key_changed();
    if (const auto key = proved.find(keeper->link()->name()); key != proved.end()) keeper->key_proved(key->second);
  }
}

// Each gets another one beside it, so that at any moment there is one over which calls can be sent.
void CallPeers::renew_outdated() {
  std::vector<std::unique_ptr<LinkKeeper>> made;
  made.reserve(keepers_.size());
  for (const auto& keeper : keepers_) {
    if (!keeper->outdated()) continue;
    const Link& before = *keeper->link();
    auto link = make(before.name(), before.incarnation(), before.address());
    const MutexLock lock(mutex_);
    if (stopped_) return;
    links_.push_back(link);
    made.push_back(keeper->successor(std::move(link)));
  }
  if (made.empty()) return;
  std::move(made.begin(), made.end(), std::back_inserter(keepers_));
  ring();
}

}  // namespace busbar::host
