// The connections that others have dialled to a ROUTER, by routing id, by number and by descriptor.
#pragma once

#include "membership/types.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace busbar::registry::net {

/// A disconnect is told by the descriptor alone, and the kernel gives the same one to the next connection. What keeps
/// them apart: ZeroMQ tells of a disconnect before it closes the descriptor, and of an accept before it reads from it;
/// so whoever has received a first message, and then everything that the monitor had to tell, knows whether the
/// connection is still there. One that has ended stays in the table until `take_ended`, as what it said last may be
/// still to be read.
/// Threads: one at a time.
class CallerTable {
 public:
  /// `most`: what comes beyond is not taken in.
  explicit CallerTable(std::size_t most) : most_(most) {}

  void accepted(int descriptor) { closed_.erase(descriptor); }
  void disconnected(int descriptor);

  /// Who has just been heard, or nothing: it is to be added.
  std::optional<CallerId> heard(const std::string& routing_id, Time now);
  /// `descriptor`: -1 where it is not known; its end is not noticed then. Nothing: it has ended already, or there is no
  /// room.
  std::optional<CallerId> add(const std::string& routing_id, int descriptor, Time now);
  /// Null: not in the table. Ownership: valid until the next change.
  const std::string* routing_id(CallerId id) const;
  /// -1: not known, or not in the table.
  int descriptor(CallerId id) const;
  /// It is not in the table any more, and its end is not told.
  void forget(CallerId id) { remove(id); }
  /// As `disconnected`, for one that turned out not to be there any more.
  void ended(CallerId id) { ended_.push_back(id); }
  /// Those that have ended since the last time. They are not in the table any more.
  std::vector<CallerId> take_ended();
  /// Those that were not heard since `before`. They are not in the table any more.
  std::vector<CallerId> take_silent(Time before);

 private:
  bool remove(CallerId id);

  struct Caller {
    std::string routing_id;
    int descriptor = -1;
    Time heard{};
  };

  const std::size_t most_;
  std::unordered_map<CallerId, Caller> callers_;
  std::unordered_map<std::string, CallerId> by_routing_id_;
  std::unordered_map<int, CallerId> by_descriptor_;
  std::unordered_set<int> closed_;  // not: open. What came before the ROUTER was watched was never told of
  std::vector<CallerId> ended_;
  std::uint64_t last_id_ = 0;
};

}  // namespace busbar::registry::net
