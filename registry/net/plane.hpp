// The registry plane's sockets: one ROUTER that others dial, and one DEALER, with its monitor, for each link that this
// node dials. Knows bytes and connections, and nothing of what is said.
#pragma once

#include <busbar/limits.hpp>
#include <busbar/registry/net/resolver.hpp>
#include <busbar/registry/net/socket.hpp>

#include "membership/types.hpp"
#include "net/caller_table.hpp"
#include "net/watch.hpp"

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace busbar::registry::net {

struct LinkUp {
  LinkId link{};
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
using PlaneEvent = std::variant<LinkUp, LinkDown, LinkSaid, CallerSaid, CallerGone, NameResolved>;

/// Threads: one at a time, but for `ring`.
class Plane {
 public:
  struct Options {
    std::string listen;
    SocketOptions sockets;
    std::chrono::milliseconds forget_callers{60'000};  ///< whose last message is longer ago
    unsigned max_peers = kUsualMaxPeers;
    Lookup lookup = look_up;
  };

  /// Binds. Errors: SocketError.
  explicit Plane(Options options);
  ~Plane();
  Plane(const Plane&) = delete;
  Plane& operator=(const Plane&) = delete;

  /// The address that it is bound to.
  std::string bound();

  /// A link that cannot be made is reported as LinkDown. Where the address has a name, one of the IP addresses that it
  /// stands for is connected to, a random one.
  void connect(LinkId id, const std::string& address);
  /// Nothing is reported of it any more, but for what `receive` has returned already.
  void close(LinkId id);
  /// Finds out what an address with a name stands for; reported as NameResolved.
  void resolve(const std::string& name);
  /// What cannot be sent at once is dropped. The bytes are shared, not copied.
  void send(LinkId id, zmq::message_t& bytes);
  void send(CallerId id, zmq::message_t& bytes);

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
  struct Link;
  struct Body {
    zmq::message_t bytes;
    bool whole = true;
  };

  void connect_to(LinkId id, const std::string& address);
  void connect_named(LinkId id, const std::string& address);
  void look_at_names();
  void receive_from(LinkId id, Link& link, std::vector<PlaneEvent>& out);
  void receive_from_callers(std::vector<PlaneEvent>& out);
  void drain(LinkId id, Link& link, std::vector<PlaneEvent>& out);
  static std::optional<Body> receive_body(zmq::socket_t& socket);
  void look_at_callers();
  std::optional<CallerId> caller_of(const zmq::message_t& routing_id, zmq::message_t& bytes, Time now);
  void forget_silent_callers(Time now, std::vector<PlaneEvent>& out);

  const Options options_;
  const Bell bell_;
  Resolver resolver_;
  std::vector<std::string> names_;             // that are being looked up for `resolve`
  std::map<LinkId, std::string> named_links_;  // which wait until theirs have been
  std::minstd_rand random_{std::random_device{}()};
  zmq::context_t context_;
  zmq::socket_t router_;
  std::optional<Monitor> router_monitor_;
  Watch watch_;
  std::vector<std::unique_ptr<Watch::Entry>> watched_;  // but for the links' own
  std::map<LinkId, std::unique_ptr<Link>> links_;
  CallerTable callers_;
  Time next_look_at_silent_{};
  std::vector<PlaneEvent> at_once_;  // happened while something was sent or connected

  // Who may have something to say. ZeroMQ's descriptors tell of news once, and any use of a socket may be what takes
  // note of them: whoever was told of, used, or not read to the end is looked at the next time.
  std::set<LinkId> unread_;
  bool unread_callers_ = true;
};

}  // namespace busbar::registry::net
