// The door of a ROUTER: how many may come in, how fast, and who has to stay outside for a while.
//
// libzmq takes every connection and tells of it afterwards. So the door is behind it: a connection that may not be is
// hung up on as soon as it is heard of, by the system's `shutdown`, which libzmq's threads then see.
#pragma once

#include <busbar/keys/keyring.hpp>
#include <busbar/thread_safety.hpp>

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace busbar::registry::net {

struct DoorLimits {
  unsigned connections = 5'000;    ///< that others have at a time
  unsigned strangers = 1'000;      ///< of them, that have not said who they are; one more takes the place of the oldest
  unsigned handshakes = 1'000;     ///< connections of one address in a second
  unsigned protocol_errors = 600;  ///< of one address, or one key, in a minute: then it stays outside
  std::chrono::milliseconds shut_out{60'000};  ///< for so long
  std::chrono::milliseconds greeting{6'000};   ///< how long a stranger may take to say who it is
};

/// Why somebody was turned away.
enum class TurnedAway : std::uint8_t {
  unlisted_key,    ///< none that is listed
  other_role,      ///< one that is listed, but not for this plane
  not_greeted,     ///< its connection ended before it had said who it is: another protocol, another key, rubbish
  too_slow,        ///< it has not said who it is in time
  too_many,        ///< there were as many connections as may be
  too_fast,        ///< its address has opened more connections in a second than it may
  malformed,       ///< it has sent something that cannot be read
  shut_out,        ///< it had done so, or the like, more often than it may, and has to stay outside for a while
  key_taken_away,  ///< it was inside when its key was taken away
  other_name,      ///< it claims a name that is not its key's
  other_version,   ///< it speaks another major version of the protocol
  other_cluster,   ///< it belongs to another cluster
  not_allowed,     ///< it did what its role may not: a client that forwards, a node that speaks for another
  slow_reader,     ///< it does not take its answers as fast as it asks, or not at all: some were dropped
  late_answer,     ///< it answered what nobody has asked it, or a second time
};
inline constexpr std::size_t kTurnedAwayKinds = 15;
std::string_view name_of(TurnedAway why) noexcept;

/// Is told of each; on any thread, and throws nothing. `plane`: "registry" or "calls". `who`: an address, with the name
/// where it is known.
using DoorReport =
    std::function<void(std::string_view plane, TurnedAway why, std::string_view who, std::string_view text)>;

/// Threads: one at a time, that of who reads the ROUTER's monitor; `lets_in` any.
class Door {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `keyring`: null where no keys are asked for. `nodes_only`: other roles are not let in.
  Door(std::string plane, DoorLimits limits, std::shared_ptr<const keys::Keyring> keyring, bool nodes_only,
       DoorReport report);

  /// For the Gatekeeper.
  bool lets_in(const keys::PublicKey& key, std::string_view address);

  /// Of the Gatekeeper; any thread.
  void gate_failed(std::string_view what) const { tell(TurnedAway::unlisted_key, "everybody", what); }

  /// Where the ROUTER listens: what is no connection to there is never touched.
  void listens_at(const std::string& bound_address);
  /// The ROUTER's monitor has told of a connection, which may have ended by now.
  void accepted(int descriptor, Time now);
  void disconnected(int descriptor, Time now);
  /// It has said who it is, which is right.
  void greeted(int descriptor, std::string_view name);
  /// Who is there, as far as it is known: "10.0.0.7:4711", "alpha at 10.0.0.7:4711".
  std::string who(int descriptor) const;
  /// It has sent something that it should not. `key`: that it has proved, or null. True: that was one too often; it was
  /// hung up on.
  bool misbehaved(int descriptor, const keys::PublicKey* key, TurnedAway why, std::string_view text, Time now);
  /// The same for one that sends something before it has said who it is; of one that has, as it was ended here while
  /// more was on its way, that is none. `key`: that it has proved, or null.
  void strange(int descriptor, const keys::PublicKey* key, std::string_view text, Time now);
  /// Ends the connection, from outside of libzmq. Does nothing where that descriptor is another's by now.
  void hang_up(int descriptor) noexcept;
  /// As `hang_up`, and says why.
  void turn_away(int descriptor, TurnedAway why, std::string_view text);

  /// Looks whether a stranger takes too long; due once a second while there are any.
  void tick(Time now);
  bool has_strangers() const noexcept { return strange_ != 0; }
  std::size_t size() const noexcept { return visitors_.size(); }

 private:
  struct Visitor {
    ino_t socket = 0;
    std::string address;  // without the port
    std::string place;    // with it
    bool is_local = false;
    std::string name{};  // empty: a stranger
    Time since{};
    std::uint64_t number = 0;
    bool strange = false;  // has not said who it is, and was not hung up on
  };
  struct Count {
    Time begun{};
    unsigned connections = 0;  // in the second that began then
    Time errors_begun{};
    unsigned errors = 0;  // in the minute that began then
  };

  bool may_come_in(const keys::PublicKey& key, const std::string& at) const;
  void ended_unseen() BUSBAR_EXCLUDES(mutex_);
  bool was_told_at_gate(const Visitor& visitor) BUSBAR_EXCLUDES(mutex_);
  bool is_shut_out(const std::string& who, Time now) const BUSBAR_EXCLUDES(mutex_);
  bool count_error(const std::string& who, Time now) BUSBAR_EXCLUDES(mutex_);
  bool is_too_fast(const std::string& address, Time now);
  Count& count_of(const std::string& who, Time now);
  void refuse(Visitor& visitor, int descriptor, TurnedAway why, std::string_view text);
  void make_room();
  Visitor* oldest_stranger();
  void no_stranger(Visitor& visitor) noexcept { strange_ -= std::exchange(visitor.strange, false) ? 1U : 0U; }
  static void hang_up(int descriptor, const Visitor& visitor) noexcept;
  void tell(TurnedAway why, std::string_view who, std::string_view text) const {
    if (report_) report_(plane_, why, who, text);
  }

  const std::string plane_;
  const DoorLimits limits_;
  const std::shared_ptr<const keys::Keyring> keyring_;
  const bool nodes_only_;
  const DoorReport report_;
  std::unordered_map<int, Visitor> visitors_;            // by descriptor
  std::deque<std::pair<int, std::uint64_t>> strangers_;  // by descriptor and number, and some that are none any more
  std::size_t strange_ = 0;                              // how many there are
  std::unordered_map<std::string, Count> counts_;        // by address, or key
  Time next_sweep_{};                                    // of `counts_`
  std::uint64_t last_number_ = 0;
  std::string local_;  // the port that is listened at, or the path

  mutable Mutex mutex_;
  std::unordered_map<std::string, unsigned> at_gate_
      BUSBAR_GUARDED_BY(mutex_);                                              // refused, and not ended yet; by address
  std::unordered_map<std::string, Time> shut_out_ BUSBAR_GUARDED_BY(mutex_);  // until when; by address, or key
};

}  // namespace busbar::registry::net
