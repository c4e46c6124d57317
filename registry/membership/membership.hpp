// Who is in the cluster: the logic of the registry's plane, as a plain state machine (contract, C-G1 to C-G9).
//
// Time and messages go in, actions come out. There is no socket, clock or thread in here, and no randomness but a seed:
// who drives it does that, or a simulation.
//
// There are two kinds of connection. A *link* is one that this node has dialled; the machine gives it an id, which is
// never used twice. A *caller* is a connection that somebody else has dialled to this node; the driver gives it an id,
// which is never used twice either. One link is one connection: after `link_down` or `Close` its id is dead, and the
// machine asks for a new one when it is time to dial again.
#pragma once

#include <busbar/limits.hpp>
#include <busbar/registry/record.hpp>

#include "membership/departed.hpp"
#include "membership/dialer.hpp"
#include "membership/seed_names.hpp"
#include "membership/types.hpp"
#include "wire/message.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace busbar::registry {

struct MembershipOptions {
  std::string node;
  std::string cluster = "busbar";
  std::uint64_t incarnation = 0;
  std::string registry_address;         ///< as others are told
  std::string call_address;             ///< as others are told
  std::vector<std::string> seeds;       ///< at first
  std::vector<std::string> seed_names;  ///< seeds that must be resolved first, tcp://NAME:PORT
  std::chrono::milliseconds heartbeat{1'000};
  std::chrono::milliseconds lost_after{3'000};
  unsigned max_peers = kUsualMaxPeers;  ///< other nodes that are members at a time; more are refused
  std::uint64_t random_seed = 0;        ///< for jitter; two nodes should not have the same
};

/// A member, for `busbar nodes`.
struct MemberRow {
  std::string name;
  std::uint64_t incarnation = 0;
  std::uint64_t version = 0;  ///< of the record that is known
  std::string call_address;
  std::string registry_address;
  Time since{};                            ///< when this incarnation was met
  Time version_since{};                    ///< when that record came
  std::chrono::microseconds round_trip{};  ///< of the last heartbeat; 0: none yet
  std::size_t services = 0;
  std::uint64_t acknowledged = 0;  ///< the version of this node's record that it has said it has; 0: none yet
};

/// Every function that takes a `now` is an input: what it returns is to be done, in that order, before the next input.
/// `now` never goes back. After `leave`, or once this node was refused, no input does anything.
/// Threads: one at a time. Errors: std::bad_alloc, after which the machine is of no use.
class Membership {
 public:
  /// `services`: what this node's record lists at first, in the order of their names.
  Membership(MembershipOptions options, std::vector<RemoteService> services);

  /// Begins: dials the seeds.
  Actions start(Time now);
  /// A link is connected: messages can be sent. `proven`: the node whose key was proved there; empty: there are no
  /// keys.
  Actions link_up(Time now, LinkId link, std::string_view proven = {});
  /// A link that was up has another connection now, with other keys, on which nothing was said yet.
  Actions link_renewed(Time now, LinkId link, std::string_view proven);
  /// A link is no more, or could not be made. `reason` goes into words for people.
  Actions link_down(Time now, LinkId link, std::string_view reason);
  /// What a name stands for; where there are no addresses, why.
  Actions resolved(Time now, const std::string& name, const std::vector<std::string>& addresses,
                   std::string_view error);
  Actions from_link(Time now, LinkId link, const wire::Message& message);
  /// `proven`: the node whose key the caller has proved, at least for a hello; empty: there are no keys.
  Actions from_caller(Time now, CallerId caller, const wire::Message& message, std::string_view proven = {});
  /// Bytes that were no message, with what `wire::BadMessage` says of them.
  Actions bad_from_link(Time now, LinkId link, std::string_view what);
  Actions bad_from_caller(Time now, CallerId caller, std::string_view what);
  /// A caller's connection has ended. A driver that cannot know need not say so: a caller that is silent for long is
  /// forgotten.
  Actions caller_gone(Time now, CallerId caller);
  /// Other seeds: those that are new are dialled, those that are not listed any more are seeds no more; connections
  /// that are there stay. `names`: as MembershipOptions has them.
  Actions seeds_changed(Time now, const std::vector<std::string>& seeds, const std::vector<std::string>& names);
  /// The whole list, in the order of the names; also before `start`. Nothing happens when it is as it was. Others are
  /// told of no more than kMaxServices.
  Actions local_services_changed(Time now, std::vector<RemoteService> services);
  /// To be called when `next_deadline` has come; harmless at any other time.
  Actions tick(Time now);
  /// Says goodbye to everybody. The sends are the last actions; their links are the driver's to close, once sent.
  Actions leave(Time now);

  /// When `tick` is due, if nothing comes in before; may have passed already. Every input can bring it nearer.
  Time next_deadline() const;
  /// Whether every seed, and every node that they have told of, has been tried once: each that answered has been joined
  /// (or has refused this node). Who does not answer at all is waited for no longer than kOthersWithin once somebody
  /// has welcomed this node. From then on for ever.
  bool introduced() const { return introduced_; }
  /// Whether every member that this node is connected to has said that it has this node's record as it is now.
  bool acknowledged() const;
  /// Whether it has been a member: then it is not refused for good any more.
  bool established() const { return has_been_member_; }
  /// This node's own record, with the incarnation that is in use.
  const NodeRecord& record() const { return record_; }
  /// The others, by name.
  std::vector<MemberRow> rows() const;
  /// Those that were members, as far as they are remembered.
  const Departed& departed() const { return departed_; }
  /// Of a caller whose hello was accepted; null: it was not, or is forgotten. Valid until the next input.
  const std::string* name_of(CallerId caller) const {
    const auto found = callers_.find(caller);
    return found == callers_.end() ? nullptr : &found->second.name;
  }
  /// Messages that were passed over, because they were broken, or came from somebody who had not said hello.
  std::uint64_t ignored() const { return ignored_; }

 private:
  struct Member {
    NodeRecord record;
    Time since{};
    Time version_since{};
    Time heard{};  // the last message from it, whatever it was and on whichever connection
    std::chrono::microseconds round_trip{};
    std::uint64_t acknowledged = 0;  // see MemberRow
    bool suspected = false;
  };
  struct Caller {
    std::string name;
    std::uint64_t incarnation = 0;
    std::string registry_address;
    Time heard{};

    bool is_of(const NodeRecord& record) const {
      return name == record.name && incarnation == record.incarnation && registry_address == record.registry_address;
    }
  };
  /// Where an answer to a hello goes: a caller who said it, or a link whose welcome told of a node.
  using Source = std::variant<CallerId, LinkId>;
  struct Newcomer {
    Source source;
    NodeRecord record;
    bool established = false;  // it says that it has been a member
  };
  /// Somebody claims the name of a member that may be alive: the member is asked (C-G7).
  struct Challenge {
    std::uint64_t nonce = 0;
    Time deadline{};
    std::vector<Newcomer> newcomers;
  };
  static constexpr std::chrono::milliseconds kPongWithin{500};
  static constexpr std::chrono::seconds kOthersWithin{1};

  enum class Phase { idle, running, over };

  // membership.cpp: inputs, and what members say
  template <class Body>
  Actions input(Time now, Body body);
  void set_services(std::vector<RemoteService> services);
  void take_on_link(Link& link, const wire::Message& message);
  void take_from_caller(CallerId id, const wire::Message& message, std::string_view proven);
  void take_from_known(CallerId id, Caller& caller, const wire::Message& message);
  void take_announce(CallerId id, const Caller& caller, const NodeRecord& record);
  void take_heartbeat(CallerId id, const Caller& caller, const wire::Heartbeat& heartbeat);
  void take_ack(const Link& link, const wire::HeartbeatAck& ack);
  void take_goodbye(std::string_view name, std::uint64_t incarnation);
  void learn_peers(const std::vector<wire::PeerAddress>& peers);
  void set_seeds(const std::vector<std::string>& seeds, const std::vector<std::string>& names);
  bool is_introduced() const;
  void announce();
  std::shared_ptr<const wire::Message> heartbeat() const;
  void say_hello(const Link& link);
  void send(LinkId link, wire::Message message);
  void send(CallerId caller, wire::Message message);
  void warn(const std::string& text);

  // introduction.cpp: who may come in, and whether this node may
  void take_hello(CallerId caller, const wire::Hello& hello, std::string_view proven);
  void take_welcome(Link& link, const wire::Welcome& welcome);
  void take_refused(Link& link, const wire::Refused& refused);
  void take_pong(const Link& link, const wire::Pong& pong);
  void introduce(const Newcomer& newcomer);
  void admit(const Newcomer& newcomer);
  void admit_caller(CallerId caller, const NodeRecord& record);
  void admit_link(LinkId id, const NodeRecord& record);
  void refuse(const Newcomer& newcomer, wire::Refused why);
  void refuse_stale(const Newcomer& newcomer, std::uint64_t known);
  void refuse_name(const Newcomer& newcomer, const std::string& held_at);
  void refuse_too_many(const Newcomer& newcomer);
  wire::Refused name_held(const std::string& name, const std::string& held_at) const;
  void challenge(const Member& holder, const Newcomer& newcomer);
  void holder_lives(const std::string& name);
  void take_in_place_of_holder(const Newcomer& newcomer);
  void holder_is_gone(const std::string& name);
  void raise_incarnation(std::uint64_t known);
  void be_refused(const std::string& text);

  // members.cpp: who is in, and what time does to them
  bool put_record(const NodeRecord& record);
  bool is_full() const { return members_.size() >= options_.max_peers; }
  bool is_of_member(std::string_view registry_address) const;
  void remove(std::string name, std::string_view reason, Leaving leaving);
  void end_caller(CallerId caller);
  bool is_connected(const Caller& node) const;
  bool stays_deaf(const Caller& node);
  bool has_dialled(const NodeRecord& record) const;
  void tell_of(const NodeRecord& record);
  void watch_challenges();
  void watch_members();
  void heard_from(Member& member, bool on_own_link);
  Time last_sign_of(const std::string& name, const Member& member) const;
  void send_heartbeats();
  void dial_members();
  void exchange_peers();
  void forget_old();
  std::vector<wire::PeerAddress> known_peers(std::string_view except) const;
  Member* find_member(std::string_view name);

  const MembershipOptions options_;
  std::vector<std::string> seeds_;
  std::vector<std::string> seed_names_;
  const Duration suspect_after_;
  NodeRecord record_;
  Phase phase_ = Phase::idle;
  bool has_been_member_ = false;  // somebody has welcomed this node
  bool introduced_ = false;
  std::optional<Time> welcomed_;  // first
  Time now_{};
  Time next_heartbeat_{};
  Time next_exchange_{};
  Time next_watch_ = Time::max();  // before it nobody can have been silent for long
  std::string last_exchange_;      // the member that was told of the others last
  std::mt19937_64 random_;
  Actions actions_;  // of the input under way

  Dialer dialer_;
  SeedNames names_;
  Departed departed_;
  std::map<std::string, Member, std::less<>> members_;
  std::unordered_map<CallerId, Caller> callers_;  // those whose hello was accepted
  std::map<std::string, Challenge, std::less<>> challenges_;
  std::map<std::string, Time> warned_;
  std::uint64_t ignored_ = 0;
};

}  // namespace busbar::registry
