// What the membership's state machine asks its driver to do.
#pragma once

#include <busbar/registry/record.hpp>

#include "wire/message.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace busbar::registry {

/// Of a steady clock, real or virtual.
using Time = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// A connection that this node dials; numbered from 1.
enum class LinkId : std::uint64_t {};
/// A connection that somebody else has dialled to this node.
enum class CallerId : std::uint64_t {};

/// Dial `address`, then say `link_up` or `link_down`. `node`: who is expected there; empty: it is not known.
struct Connect {
  LinkId link{};
  std::string address;
  std::string node;
};
/// Find out what `name` (tcp://NAME:PORT) stands for, then say `resolved`.
struct Resolve {
  std::string name;
};
/// Drop the link: nothing more is sent or heard there, and `link_down` is not said.
struct Close {
  LinkId link{};
};
/// Messages that go to many are shared, so that they need be encoded only once. What cannot be sent is dropped.
struct SendToLink {
  LinkId link{};
  std::shared_ptr<const wire::Message> message;
};
struct SendToCaller {
  CallerId caller{};
  std::shared_ptr<const wire::Message> message;
};
/// A node is a member now, in this incarnation.
struct NodeJoined {
  NodeRecord record;
};
/// A member's record was replaced by a newer one.
struct RecordChanged {
  NodeRecord record;
};
/// Nothing was heard of a member for a while: it may be lost soon. Calls under way there go on.
struct NodeSuspected {
  std::string name;
};
/// It was heard again.
struct NodeTrusted {
  std::string name;
};
/// A member is none any more.
struct NodeLeft {
  std::string name;
  std::uint64_t incarnation = 0;
  std::string reason;
};
/// This node stays outside, as another one has its name; the last action of all. In words for an operator.
struct RefusedHere {
  std::string text;
};
/// This node has a higher incarnation now (C-G9): to be stored.
struct IncarnationRaised {
  std::uint64_t incarnation = 0;
};
/// Something that an operator may want to read. The same text is not said again within a minute.
struct Warn {
  std::string text;
};

/// Of two live nodes of one name, which one is routed to: the same for everybody who knows both. `one` may also be what
/// others tell of it, a wire::PeerAddress.
template <class One>
bool outranks(const One& one, const NodeRecord& other) {
  if (one.incarnation != other.incarnation) return one.incarnation > other.incarnation;
  return one.registry_address < other.registry_address;
}

using Action = std::variant<Connect, Resolve, Close, SendToLink, SendToCaller, NodeJoined, RecordChanged, NodeSuspected,
                            NodeTrusted, NodeLeft, RefusedHere, IncarnationRaised, Warn>;
using Actions = std::vector<Action>;

}  // namespace busbar::registry
