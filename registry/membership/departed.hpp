// Whom this node remembers to have left, so that late messages cannot bring back what is gone.
#pragma once

#include "membership/types.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace busbar::registry {

/// How a member ends.
enum class Leaving {
  lost,  ///< it may come back as it was
  deaf,  ///< the same, of one that did not answer on this node's own link, whatever came from it otherwise
  over   ///< it said goodbye, or was replaced: this incarnation does not come back
};

/// Threads: one at a time.
class Departed {
 public:
  struct Entry {
    std::uint64_t incarnation = 0;
    bool is_over = false;   ///< it said goodbye, or was replaced; one that was only lost may come back
    bool was_deaf = false;  ///< it is back when it answers, and not already when it speaks
    std::string registry_address;
    Time left{};         ///< when it was last a member
    std::string reason;  ///< why it is none any more, in words
    Time kept{};         ///< from when on its time counts
  };
  static constexpr std::chrono::minutes kRemembered{10};
  static constexpr std::size_t kMost = 10'000;  ///< then the one that left first is forgotten

  void put(const NodeRecord& record, Leaving leaving, std::string_view reason, Time now);
  /// Null: not known to have left. Ownership: valid until the next change.
  const Entry* find(std::string_view name) const;
  /// It is a member again.
  void erase(std::string_view name);
  /// One that was deaf has spoken: it is remembered for as long again.
  void keep(std::string_view name, Time now);
  /// Forgets those whose time is over.
  void expire(Time now);
  /// All, by name.
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace busbar::registry
