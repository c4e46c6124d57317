// Which key is expected at an address that is dialled.
#pragma once

#include <busbar/keys/authorized.hpp>

#include "membership/types.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::registry::net {

/// Who connects must know the key of who is there before anything is said. Of a seed not even the name is known: then
/// the keys of all nodes that are listed are tried, one after the other. What was right is tried first the next time.
/// Threads: one at a time.
class ServerKeys {
 public:
  /// The keys to try at an address, the likeliest first. `node`: who is said to be there; empty: it is not known.
  std::vector<keys::PublicKey> for_address(const std::string& address, std::string_view node,
                                           const keys::Authorized& listed) const;
  /// Whether one more may be tried there without a pause: whoever is there counts each that is wrong as an error of
  /// this node's address, and shuts it out where there are too many in a minute (limits.protocol_errors).
  bool may_try_another(const std::string& address, Time now);
  /// That one is tried now; it is the first the next time, until another one is.
  void tries(const std::string& address, const keys::PublicKey& key);

 private:
  static constexpr std::size_t kMostRemembered = 20'000;
  static constexpr unsigned kMostInAMinute = 300;  // half of what is usually let pass
  struct Tried {
    Time begun{};
    unsigned count = 0;  // in the minute that began then
  };
  std::map<std::string, Tried> tried_;
  std::map<std::string, keys::PublicKey> last_;
};

}  // namespace busbar::registry::net
