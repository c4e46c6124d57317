// Seeds that are names: each stands for one or several addresses, which change while this node runs.
#pragma once

#include "membership/dialer.hpp"
#include "membership/types.hpp"

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::registry {

/// A name is looked up until all that it stands for is reached, and again as soon as one of that is not any more; after
/// the delays that the dialer has, too, for ever. Its addresses
/// are the dialer's seeds for as long as it stands for them.
/// Threads: one at a time.
class SeedNames {
 public:
  /// `patience`: how long a look-up may take before nobody waits for it any more.
  SeedNames(Dialer& dialer, Duration patience) : dialer_(dialer), patience_(patience) {}

  /// tcp://NAME:PORT.
  void add(const std::string& name, Time now);
  /// Nobody asks for it any more.
  void remove(const std::string& name);
  bool stands_for(const std::string& address) const;
  /// Has those looked up that are due. To be called after whatever may have changed a link.
  void look(Time now, Actions& actions);
  /// `error`: why there are no addresses; empty where there are some.
  void resolved(const std::string& name, const std::vector<std::string>& addresses, std::string_view error, Time now,
                std::mt19937_64& random, Actions& actions);

  /// Whether each has been looked up once, or takes long.
  bool tried() const;
  Time next_deadline() const;

 private:
  struct Name {
    bool asked = false;  // it is being looked up
    bool tried = false;  // it has been looked up once, or nobody waits for that any more
    bool told = false;   // it was warned of that nobody is reached by it
    Time due{};          // asked: when that takes long; else: looked up then. Time::max(): there is no need
    Duration delay = Dialer::kFirstDelay;
    Time lost{};  // since when not all is reached
    std::vector<std::string> addresses;
  };

  void look_at_addresses(const std::string& name, Name& entry, Time now, Actions& actions);
  void replace(Name& entry, const std::vector<std::string>& addresses, Time now);
  static void warn(const std::string& name, Name& entry, const std::string& what, Actions& actions);

  Dialer& dialer_;
  const Duration patience_;
  std::map<std::string, Name, std::less<>> names_;
};

}  // namespace busbar::registry
