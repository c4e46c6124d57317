// The thread "busbar-peers": dials all peers, and works the sockets that no caller works.
#pragma once

#include <busbar/thread_safety.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "log/log.hpp"
#include "transport/call_plane.hpp"
#include "transport/descriptor_watch.hpp"
#include "transport/link.hpp"
#include "transport/link_keeper.hpp"

namespace busbar::host {

// The caller's side of a call plane. Ownership: what is given outlives it; peers may outlive it, and are down then.
// Threads: any, unless a function says otherwise.
class CallPeers {
 public:
  // Errors: std::system_error where there is no descriptor left.
  CallPeers(zmq::context_t& context, const CallPlaneOptions& options, Logger log);
  ~CallPeers();
  CallPeers(const CallPeers&) = delete;
  CallPeers& operator=(const CallPeers&) = delete;

  // Once. `callers`: the nodes that have connections to this one. Errors: std::system_error if the thread cannot be
  // started.
  // `renewed`: another link has taken the place of one, with the keys that both ends have now; nothing is sent over it
  // before somebody finds it.
  using Renewed = std::function<void(const std::shared_ptr<Peer>& before, const std::shared_ptr<Peer>& now)>;
  void start(PeerEvents& events, std::function<void()> routability_changed, const ConnectedNodes* callers = nullptr,
             Renewed renewed = {});
  // Has the thread look around.
  void ring() noexcept { shared_->bell.ring(); }
  std::shared_ptr<Peer> add(std::string name, std::uint64_t incarnation, std::string address);
  // It is down when this returns; its calls are ended by the thread, at once.
  void drop(const std::shared_ptr<Peer>& peer, std::string_view reason);
  // After `renewed`, when nobody finds it any more: it is closed when nothing is waited for from there.
  static void retire(const std::shared_ptr<Peer>& peer) { static_cast<Link&>(*peer).retire(); }
  // This node's own key has changed, and those who dial it meet the new one: each link is made anew.
  void own_key_changed(std::shared_ptr<const keys::OwnKey> own) noexcept;
  // A node has proved that it has this key: links to it that expect another one are made anew.
  void key_proved(const std::string& node, const keys::PublicKey& key) noexcept;
  // That start of a node wants to be asked nothing more: its peer is told when nothing is waited for from there, and
  // not dialled again.
  void let_go(const NodeStart& node);
  // Tells each peer that is up that nothing more is asked of it, and wants to be asked nothing more itself; no request
  // is taken from here on. Returns those that have been told. Errors: std::bad_alloc.
  std::vector<NodeStart> say_closing();
  // All peers are down, their sockets closed, and the thread has ended. Not from the thread itself.
  void stop() noexcept;

  void fill(CallPlaneStats& stats) const noexcept;
  // How often a link to each node has come up.
  std::map<std::string, std::uint64_t> connected() const BUSBAR_EXCLUDES(mutex_);
  // How often the thread has turned.
  std::uint64_t turns() const noexcept { return turns_.load(std::memory_order_relaxed); }

 private:
  void run() noexcept;
  bool wait_awake() noexcept;
  void let_more_come() noexcept;
  void adopt_added();
  std::shared_ptr<Link> make(std::string name, std::uint64_t incarnation, std::string address) const;
  std::vector<std::shared_ptr<Link>> all() BUSBAR_EXCLUDES(mutex_);
  void count_connection(const std::string& node) noexcept BUSBAR_EXCLUDES(mutex_);
  Nanos attend_all();
  void look_at_keys(Nanos now);
  void renew_outdated();

  zmq::context_t& context_;
  const CallPlaneOptions& options_;
  const Logger log_;
  DescriptorWatch descriptors_{log_};
  const std::shared_ptr<LinkShared> shared_ = std::make_shared<LinkShared>(log_);
  registry::net::Resolver resolver_{options_.lookup, [this] { ring(); }};
  std::function<void()> routability_changed_;
  Renewed renewed_;
  const ConnectedNodes* callers_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> keys_changed_{false};  // any of these three
  std::atomic<std::uint64_t> up_{0};
  std::atomic<std::uint64_t> renewing_{0};

  std::atomic<std::uint64_t> turns_{0};

  mutable Mutex mutex_;
  std::map<std::string, std::uint64_t> connected_ BUSBAR_GUARDED_BY(mutex_);  // how often, by node
  std::vector<std::shared_ptr<Link>> added_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Link>> links_ BUSBAR_GUARDED_BY(mutex_);         // all that have not been forgotten
  std::map<std::string, keys::PublicKey> proved_ BUSBAR_GUARDED_BY(mutex_);  // by name; since they were last looked at
  std::shared_ptr<const keys::OwnKey> next_own_ BUSBAR_GUARDED_BY(mutex_);   // since it was last looked at, or null
  bool stopped_ BUSBAR_GUARDED_BY(mutex_) = false;

  // The thread's.
  std::shared_ptr<const keys::OwnKey> own_;  // with which it dials: the one that those meet who dial this node
  std::vector<std::unique_ptr<LinkKeeper>> keepers_;
  std::vector<pollfd> polled_;
  YieldGuard yields_{kMillisecond};  // what others do for a whole bundle takes a while

  std::thread thread_;
  keys::Keyring::Subscription keys_;  // last: what it calls is there
};

}  // namespace busbar::host
