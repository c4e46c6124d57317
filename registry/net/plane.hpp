// The registry plane's sockets: one ROUTER that others dial, and one DEALER, with its monitor, for each link that this
// node dials. Knows bytes and connections, and nothing of what is said.
#pragma once

#include <busbar/keys/keyring.hpp>
#include <busbar/limits.hpp>
#include <busbar/registry/net/door.hpp>
#include <busbar/registry/net/gatekeeper.hpp>
#include <busbar/registry/net/resolver.hpp>
#include <busbar/registry/net/socket.hpp>

#include "membership/types.hpp"
#include "net/caller_table.hpp"
#include "net/server_keys.hpp"
#include "net/watch.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace busbar::registry::net {

/// `proven`: the node whose key is there; empty: there are no keys.
struct LinkUp {
  LinkId link{};
  std::string proven;
};
/// The link has a new connection, because one of its ends has another key; nothing was said on it yet.
struct LinkRenewed {
  LinkId link{};
  std::string proven;
};
/// The link is no more; nothing follows of it.
struct LinkDown {
  LinkId link{};
  std::string reason;
};
/// `whole`: a message of one frame, as every one should be; `bytes` is the first.
struct LinkSaid {
  LinkId link{};
  zmq::message_t bytes;
  bool whole = true;
};
struct CallerSaid {
  CallerId caller{};
  zmq::message_t bytes;
  bool whole = true;
};
/// Its connection has ended, or it was silent for long; nothing follows of it.
struct CallerGone {
  CallerId caller{};
};
/// The answer to `resolve`.
struct NameResolved {
  std::string name;
  Resolved found;
};
using PlaneEvent = std::variant<LinkUp, LinkRenewed, LinkDown, LinkSaid, CallerSaid, CallerGone, NameResolved>;

/// Threads: one at a time, but for `ring`.
class Plane {
 public:
  struct Options {
    std::string listen;
    SocketOptions sockets;
    std::chrono::milliseconds forget_callers{60'000};  ///< whose last message is longer ago
    unsigned max_peers = kUsualMaxPeers;
    Lookup lookup = look_up;
    std::shared_ptr<const keys::Keyring> keyring{};  ///< null: without keys
    DoorLimits door{};
    DoorReport report{};
  };

  /// Binds. Errors: SocketError.
  explicit Plane(Options options);
  ~Plane();
  Plane(const Plane&) = delete;
  Plane& operator=(const Plane&) = delete;

  /// The address that it is bound to.
  std::string bound();

  /// A link that cannot be made is reported as LinkDown. Where the address has a name, one of the IP addresses that it
  /// stands for is connected to, a random one. `node`: who is expected there; empty: it is not known, and the keys of
  /// all nodes are tried.
  void connect(LinkId id, const std::string& address, const std::string& node);
  /// Nothing is reported of it any more, but for what `receive` has returned already.
  void close(LinkId id);
  /// Finds out what an address with a name stands for; reported as NameResolved.
  void resolve(const std::string& name);
  /// What cannot be sent at once is dropped. The bytes are shared, not copied.
  void send(LinkId id, zmq::message_t& bytes);
  void send(CallerId id, zmq::message_t& bytes);

  /// The node whose key a caller has proved; empty: there are no keys.
  std::string_view proven(CallerId id) const;
  /// A caller has said who it is, which is right.
  void greeted(CallerId id, std::string_view name);
  /// It has sent something that cannot be read; who does so too often is hung up on.
  void misbehaved(CallerId id, TurnedAway why, std::string_view text);
  /// The keyring has changed: who is not listed any more is gone, which is told; who comes from now on meets this
  /// node's own key as it is now. Errors: SocketError, if that cannot be: then the key before is used on there.
  void look_at_keys();

  /// How many connections of either direction have a key that their end has replaced. Threads: any.
  std::uint64_t renewing() const noexcept { return renewing_.load(std::memory_order_relaxed); }

  /// Wakes `wait`. Threads: any.
  void ring() const noexcept { bell_.ring(); }
  /// Waits until there is something to receive, somebody rings, or the time has come.
  void wait(Time until);
  /// What has happened; not more of one connection than a batch, so that none starves the others.
  std::vector<PlaneEvent> receive();

  /// Sends what is still queued, for at most `linger`, and closes everything. Nothing else may be called afterwards.
  void close_all(std::chrono::milliseconds linger) noexcept;

 private:
  /// An eventfd.
  class Bell {
   public:
    Bell();  ///< Errors: SocketError.
    ~Bell();
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;
    int descriptor() const noexcept { return descriptor_; }
    void ring() const noexcept;
    void hush() const noexcept;

   private:
    const int descriptor_;
  };
  /// What a renewal of a link is watched as: the link's number, with this bit.
  static constexpr std::uint64_t kRenewal = std::uint64_t{1} << 62U;
  struct Link;
  /// An address that is being dialled, and the keys that are still to be tried there.
  struct Dial {
    std::string address;
    std::string node;
    std::string at{};  // what a name stands for; the address itself
    std::vector<keys::PublicKey> keys{};
    std::size_t next = 0;
  };
  struct Body {
    zmq::message_t bytes;
    bool whole = true;
  };

  void open_router();
  void look_at_own_key();
  void end_unlisted_callers(const keys::Authorized& authorized);
  void end_unlisted_links(const keys::Authorized& authorized);
  void key_proved(const std::string& node, const keys::PublicKey& key);
  bool is_outdated(const Link& link) const;
  void renew_outdated();
  void renew(LinkId id);
  void dial_anew(LinkId id, Dial dial);
  void look_at_renewal(LinkId id, std::vector<PlaneEvent>& out);
  void take_over(LinkId id, std::vector<PlaneEvent>& out);
  void count_renewing();
  void resolve_and_connect(LinkId id, Dial dial);
  void connect_to(LinkId id, Dial dial);
  bool try_next_key(LinkId id);
  void open_link(LinkId id, Dial dial);
  std::unique_ptr<Link> make_link(std::uint64_t token, Dial dial);
  void end_link(LinkId id);
  static std::string why_ended(const Link& link, const Monitor::Happened& happened);
  bool tell_up(LinkId id, Link& link, std::vector<PlaneEvent>& out);
  bool take_name(Link& link) const;
  void look_at_names();
  void receive_from(LinkId id, Link& link, std::vector<PlaneEvent>& out);
  void receive_from_callers(std::vector<PlaneEvent>& out);
  void drain(LinkId id, Link& link, std::vector<PlaneEvent>& out);
  static std::optional<Body> receive_body(zmq::socket_t& socket);
  void look_at_callers();
  std::optional<CallerId> caller_of(const zmq::message_t& routing_id, zmq::message_t& bytes, Time now);
  std::optional<CallerId> add_caller(const std::string& routing_id, zmq::message_t& bytes, Time now);
  void gone(CallerId caller, std::vector<PlaneEvent>& out);
  void look_at_silent(Time now, std::vector<PlaneEvent>& out);

  const Options options_;
  const Bell bell_;
  Resolver resolver_;
  std::vector<std::string> names_;      // that are being looked up for `resolve`
  std::map<LinkId, Dial> named_links_;  // which wait until theirs have been
  std::minstd_rand random_{std::random_device{}()};
  ServerKeys server_keys_;
  Door door_;
  zmq::context_t context_;
  std::optional<Gatekeeper> gatekeeper_;     // before any socket that is bound
  std::shared_ptr<const keys::OwnKey> own_;  // with which it is bound
  zmq::socket_t router_;
  std::optional<Monitor> router_monitor_;
  Watch watch_;
  std::vector<std::unique_ptr<Watch::Entry>> watched_;  // but for the links' own
  std::map<LinkId, std::unique_ptr<Link>> links_;
  std::map<std::string, keys::PublicKey> newest_;     // keys that nodes have shown when they dialled this one; by name
  std::set<LinkId> outdated_;                         // of them, those that are to have a connection with other keys
  std::map<LinkId, std::unique_ptr<Link>> renewals_;  // of those, the ones that are being made: not up yet
  CallerTable callers_;
  struct Proven {
    keys::PublicKey key;
    std::string name;
    bool from_before = false;  // it stands since this node had another key
  };
  std::map<CallerId, Proven> proven_;
  std::atomic<std::uint64_t> renewing_{0};
  Time next_look_at_silent_{};
  std::vector<PlaneEvent> at_once_;  // happened while something was sent or connected

  // Who may have something to say. ZeroMQ's descriptors tell of news once, and any use of a socket may be what takes
  // note of them: whoever was told of, used, or not read to the end is looked at the next time.
  std::set<LinkId> unread_;
  std::set<LinkId> unread_renewals_;
  bool unread_callers_ = true;
};

}  // namespace busbar::registry::net
