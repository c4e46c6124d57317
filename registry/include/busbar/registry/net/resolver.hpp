// What host names stand for, for threads that must not wait for it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace busbar::registry::net {

/// IP addresses as text, the preferred first; or why there are none.
struct Hosts {
  std::vector<std::string> hosts;
  std::string error;
};

/// Finds out what a host's name stands for, however long it takes. Threads: several at a time.
using Lookup = std::function<Hosts(const std::string& name)>;

/// As this machine is set up: its own file of hosts, the DNS, both families of addresses.
Hosts look_up(const std::string& name);

/// The same for addresses, tcp://NAME:PORT.
struct Resolved {
  std::vector<std::string> addresses;
  std::string error;
};

/// Looks names up on threads of its own, of which there are only as many as there is work for, and at most four.
///
/// Nothing can end a look-up, and one that gets no answer from the DNS takes many seconds. So the threads are detached,
/// and share their state with this: who destroys it waits for none of them, and hears of none of them afterwards.
/// (ZeroMQ, given a name, looks it up on the thread that all connections of a context share, and they all stand still
/// meanwhile; and of several addresses it tries the first alone.)
/// Threads: any.
class Resolver {
 public:
  /// `ring`: an answer is there. Called on one of the threads; must be short, and must not call back.
  Resolver(Lookup lookup, std::function<void()> ring);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// What the address, of which net::has_name holds, stands for, if it has been found out since it was asked for and
  /// was not told yet; nothing: it is being looked up, and `ring` is called then. An answer that nobody comes back for
  /// within 10 s is forgotten.
  std::optional<Resolved> ask(const std::string& address);

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace busbar::registry::net
