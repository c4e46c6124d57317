// Dials a peer, introduces this node, and begins anew when the connection is gone.
#pragma once

#include <busbar/registry/net/resolver.hpp>
#include <busbar/registry/net/socket.hpp>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "log/log.hpp"
#include "pool/clock.hpp"
#include "transport/call_plane.hpp"
#include "transport/connected_nodes.hpp"
#include "transport/link.hpp"

struct pollfd;

namespace busbar::host {

// One per link. ZeroMQ would not come back from some failures, and from others too eagerly: so each connection is a
// socket of its own, and a new one is made after a delay that doubles.
// Ownership: shares the link; what is given outlives it. Threads: the peers' thread only.
class LinkKeeper {
 public:
  // `resolver`: for an address with a name; rings the thread that attends. `own`: the key to dial with, as it is then;
  // null without keys.
  LinkKeeper(std::shared_ptr<Link> link, zmq::context_t& context, const CallPlaneOptions& options, Logger log,
             PeerEvents& events, registry::net::Resolver& resolver, const std::shared_ptr<const keys::OwnKey>& own,
             const ConnectedNodes* callers = nullptr);

  // Does what is due. `polled`: what descriptors() has appended to, polled. Returns whether routability has changed.
  bool attend(Nanos now, const std::vector<pollfd>& polled) noexcept;
  // Appends what is to be polled for it.
  void descriptors(std::vector<pollfd>& into);
  // When attend() is to be called at the latest; 0 for at once.
  Nanos due() const noexcept { return due_; }

  // Has attend() end it for good, without waiting for anything that may still come.
  void end(std::string_view reason) noexcept {
    hurried_ = true;
    link_->drop(reason);
  }
  // The keyring has changed: a link to a node whose key is not listed any more is cut.
  void look_at_keys(Nanos now) noexcept;
  // This node has another key now, or the node there has proved that it has: what stands, or is just being made, may be
  // a connection with the key before.
  void own_key_changed() noexcept;
  void key_proved(const keys::PublicKey& key);
  // Whether it is to be made anew: then another link is made that replaces this one as soon as it is up.
  bool outdated() const noexcept { return outdated_ && state_ == State::up && replaces_ == nullptr && !retired_at_; }
  // A keeper of such a link, which takes the place of this one's. Errors: std::bad_alloc.
  std::unique_ptr<LinkKeeper> successor(std::shared_ptr<Link> link);
  // Once, when the successor is up: whose place it takes. Ends it where that link is no more.
  std::shared_ptr<Link> take_replaced() noexcept;
  // Whether a connection with a key before is still there.
  bool renewing() const noexcept;
  const std::shared_ptr<Link>& link() const noexcept { return link_; }

  bool over() const noexcept { return state_ == State::over; }
  bool up() const noexcept { return state_ == State::up; }
  // How many requests that were posted there have not ended.
  std::uint64_t under_way() const noexcept { return link_->under_way(); }
  // Whether it works the link's socket, so that answers come here.
  bool works() const noexcept { return state_ == State::up && link_->worked_by_peers(); }

 private:
  enum class State : std::uint8_t {
    resting,     // until it is to dial again
    resolving,   // its name is being looked up
    connecting,  // ZeroMQ connects and shakes hands
    greeting,    // this node has said who it is, and waits to be told the same
    up,
    ending,   // it is down: what the other side has sent before is read, and then its calls end
    closing,  // they have ended, but a caller may still be inside the socket
    over,
  };

  bool come_up(Nanos now);
  bool dial(Nanos now);
  bool dial_named(Nanos now);
  bool begin_connecting(Nanos now, const std::string& address);
  bool connect(Nanos now);
  bool connect_otherwise(Nanos now, const std::string& reason);
  bool connect_further(Nanos now);
  bool greet_further(Nanos now);
  bool say_hello();
  bool read_welcome(Nanos now, const zmq::message_t& message);
  bool keep_up(Nanos now, bool news);
  bool let_go_further() noexcept;
  void retire_further(Nanos now) noexcept;
  bool has_key_in_use() const noexcept;
  void take_down(Nanos now, std::string_view reason);
  void end_calls(Nanos now);
  bool its_key_is_listed() const;
  void end_further(Nanos now);
  bool others_are_heard() noexcept;
  void close(Nanos now);
  void fail(Nanos now, std::string_view reason) noexcept;
  void rest(Nanos now) noexcept;
  void finish() noexcept;
  std::optional<std::string> bad_news();
  std::optional<std::string> silence();
  void close_socket() noexcept;

  const std::shared_ptr<Link> link_;
  zmq::context_t& context_;
  const CallPlaneOptions& options_;
  const Logger log_;
  PeerEvents& events_;
  registry::net::Resolver& resolver_;
  const std::shared_ptr<const keys::OwnKey>& own_now_;
  const ConnectedNodes* const callers_;

  State state_ = State::resting;
  Nanos due_ = 0;
  Nanos delay_;
  std::minstd_rand random_;
  std::string said_;      // what was wrong last, so that it is logged once
  zmq::socket_t socket_;  // until the link is up, and again when it is down
  std::string at_;        // where it is being connected to: of a name, one of the addresses that it stands for
  std::vector<keys::PublicKey> server_keys_;  // that the node may have, the likeliest first
  std::size_t next_key_ = 0;                  // of them; the one before is being used
  bool other_key_ = false;                    // what failed was perhaps that the node has another one
  std::shared_ptr<const keys::OwnKey> own_;   // that is being used
  std::optional<keys::PublicKey> proved_;     // that the node has proved last
  bool outdated_ = false;
  std::shared_ptr<Link> replaces_;  // the link whose place this one takes, until that one knows it
  bool replaced_told_ = false;
  std::optional<Nanos> retired_at_;
  std::optional<registry::net::Monitor> monitor_;
  int connection_ = -1;  // its descriptor, which is ZeroMQ's; means something while it is up
  bool connected_ = false;
  bool disconnected_ = false;
  bool greeted_ = false;
  bool hurried_ = false;
  bool closing_said_ = false;  // to a peer that leaves, which then ends the connection
  Nanos parked_until_ = 0;     // when late answers are read next
  std::size_t offset_ = 0;     // of its descriptors among all that were polled
  std::size_t polled_ = 0;     // how many
};

}  // namespace busbar::host
