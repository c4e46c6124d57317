// Which addresses this node dials, when, and what has become of it. One link at a time for each address.
#pragma once

#include "membership/types.hpp"

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

namespace busbar::registry {

/// An address that is dialled, and the link to it, if there is one.
struct Link {
  enum class State {
    waiting,     ///< dialled again when it is time
    connecting,  ///< the driver was asked
    up,          ///< connected: hello was said, no welcome has come
    greeted,     ///< welcomed by `node`
    parked       ///< no need: another link reaches the node, or it is this one. Seeds only
  };
  std::string address;
  LinkId id{};  ///< 0: there is none
  State state = State::waiting;
  bool is_seed = false;   ///< dialled for ever
  bool is_named = false;  ///< a seed only because a name stands for it, of which is warned instead
  bool is_self = false;   ///< parked: it leads to this node
  bool tried = false;     ///< it has been seen once what comes of dialling it
  bool told = false;      ///< a seed: it cannot be reached, of which was warned
  std::string node;       ///< greeted, parked: who is reached
  std::string expected;   ///< who is said to be there, or was before; empty: it is not known
  std::string proven;     ///< up, greeted: whom its key proves to be there; empty: there are no keys
  Time heard{};           ///< connecting: when that began; up, greeted: when something came last
  Time next_dial{};       ///< waiting
  Time lost{};            ///< waiting: since when it is not reached
  Duration delay{};       ///< before the next attempt; doubles

  bool is_up() const { return state == State::up || state == State::greeted; }
  bool is_reached() const { return state == State::greeted || (state == State::parked && !is_self); }
};

/// Threads: one at a time. Ownership: links are the dialer's, valid until they are forgotten.
class Dialer {
 public:
  static constexpr std::chrono::milliseconds kFirstDelay{100};
  /// Who was reached lately is dialled that often at least: a cut that heals is noticed before anybody asks.
  static constexpr std::chrono::milliseconds kLongestDelayAtFirst{2'000};
  static constexpr std::chrono::minutes kAtFirst{5};
  static constexpr std::chrono::milliseconds kLongestDelay{10'000};
  /// And then, addresses that are no seeds: a cut may last for a night.
  static constexpr std::chrono::hours kLater{1};
  static constexpr std::chrono::milliseconds kLongestDelayLater{60'000};
  static constexpr std::chrono::hours kGiveUpAfter{24};

  /// `lost_after`: a link on which nothing is heard for that long is dropped. `most`: addresses that are no seeds.
  Dialer(Duration lost_after, std::size_t most) : lost_after_(lost_after), most_(most) {}

  void add_seed(const std::string& address, Time now);
  /// It is a seed no more. A link that is up stays, as that to any other node.
  void end_seed(const std::string& address);
  /// The same as `add_seed` for one that is a seed because a name stands for it, until it does so no more.
  void add_named_seed(const std::string& address, Time now);
  void end_named_seed(const std::string& address);
  /// Dials it from now on, also where that was no need; does nothing for one that is dialled already. Where there are
  /// too many, it takes the place of the one that has been lost for longest, but for none of the last five minutes.
  /// `node`: who is said to be there; empty: it is not known.
  void add(const std::string& address, std::string_view node, Time now, Duration delay = Duration::zero());
  /// As `add`, but also one that is waiting is dialled now: somebody has just been heard from there.
  void hurry(const std::string& address, std::string_view node, Time now);
  /// Dials those that are due, drops those that are silent, and forgets those that are given up.
  void tick(Time now, std::mt19937_64& random, Actions& actions);

  /// Null: no such link any more.
  Link* find(LinkId id);
  /// The link that is greeted by a node of that name, or null.
  Link* to_node(std::string_view name) const;
  /// What is known of an address, or null.
  Link* at_address(std::string_view address);

  /// The link is welcomed by `node`. False: another link reaches it already; this one is closed and must not be used.
  bool greeted(Link& link, const std::string& node, Actions& actions);
  /// Ends the link, if there is one, and dials again after a delay; at the slowest pace when `slowly`.
  void drop(Link& link, Time now, std::mt19937_64& random, Actions& actions, bool slowly = false);
  /// As `drop`, of a link that the driver has lost.
  void lost(Link& link, std::string_view reason, Time now, std::mt19937_64& random, Actions& actions);
  /// Ends the link, and dials that address no more; a seed is dialled again later.
  void forget(Link& link, Time now, std::mt19937_64& random, Actions& actions);
  /// The link leads to this node itself: ends it, and dials that address no more, a seed or not.
  void pass_over(Link& link, Actions& actions);
  /// A node is no member any more: seeds that were passed over because of it are dialled again.
  void unpark(std::string_view node, Time now);
  void close_all(Actions& actions);
  /// This node itself stood still: nobody is blamed for that time.
  void forgive_silence(Time now);

  /// Whether it has been seen of each address once what comes of dialling it.
  bool all_tried() const;
  Time next_deadline() const;
  /// A delay with up to a fifth more or less, so that nodes which lost the same peer do not all come back at once.
  static Duration spread(Duration delay, std::mt19937_64& random);
  /// The delay after this one, for what has not been reached for that long.
  static Duration longer(Duration delay, Duration since_lost);
  /// Calls `use(link)` for each that is up, in the order of the addresses.
  template <class Use>
  void for_each_up(Use use) {
    for (auto& [address, link] : links_) {
      if (link.is_up()) use(link);
    }
  }

 private:
  Link& put(const std::string& address, Time now, Duration delay = Duration::zero());
  void forget_longest_lost(Time now);
  void park(Link& link, const std::string& node);
  void unpark(Link& link, Time next_dial);
  void dial(Link& link, Time now, Actions& actions);
  void end(Link& link);
  void wait(Link& link, Time now, std::mt19937_64& random);
  void warn_of_seed(Link& link, std::string_view reason, Actions& actions);

  const Duration lost_after_;
  const std::size_t most_;
  std::map<std::string, Link, std::less<>> links_;  // by address
  std::unordered_map<LinkId, Link*> by_id_;
  std::map<std::string, Link*, std::less<>> by_node_;  // those that are greeted
  std::uint64_t last_id_ = 0;
};

}  // namespace busbar::registry
