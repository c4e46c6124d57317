// What nodes tell each other of calls that wait: enough to find a circle, and to name it (decision 0028).
#pragma once

#include <busbar/cbor/cbor.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace busbar::host {

/// A call, for people.
struct NamedCall {
  std::string service, node, message_id;
  bool operator==(const NamedCall&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(service), CEREAL_NVP(node), CEREAL_NVP(message_id));
  }
};

/// A call that a node has sent to another one: what the two know it by. No two calls have the same, ever: attempts are
/// not used twice by a node while it lives, message ids by nobody.
struct SentCall {
  std::string from, to;
  std::uint64_t attempt = 0;
  std::string message_id;
  auto operator<=>(const SentCall&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(from), CEREAL_NVP(to), CEREAL_NVP(attempt), CEREAL_NVP(message_id));
  }
};

/// Somebody who has a place at a gate, and waits as well.
struct PlaceHolder {
  std::uint64_t wait = 0;   ///< the number of that wait
  std::uint32_t first = 0;  ///< which of its calls has the place
  bool operator==(const PlaceHolder&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(wait), CEREAL_NVP(first));
  }
};

/// Calls of one node of which each waits for the next; the last one waits at a gate, or for one that was sent on.
struct WaitView {
  std::uint64_t number = 0;          ///< of this wait; never used twice by a node
  std::vector<NamedCall> calls;      ///< without the one that was sent on
  std::optional<SentCall> sent;      ///< absent: it waits at a gate
  std::vector<PlaceHolder> holders;  ///< who has the places there
  bool is_new = false;               ///< it is just being found out whether it closes a circle
  /// The same wait, and for the same. Whether it is new does not count.
  bool operator==(const WaitView& other) const {
    return number == other.number && calls == other.calls && sent == other.sent && holders == other.holders;
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number), CEREAL_NVP(calls), CEREAL_NVP(sent), CEREAL_NVP(holders), CEREAL_NVP(is_new));
  }
};

/// What a call waits for on one node, directly and by way of others. No waits: it may go on by itself, or is not there.
struct WaitsView {
  std::vector<std::uint64_t> first;  ///< the numbers of those that the call itself waits for
  std::vector<WaitView> waits;       ///< all that can be reached from there on this node
  bool operator==(const WaitsView&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(first), CEREAL_NVP(waits));
  }
};

/// Larger ones are neither told nor followed: a circle among more is not found.
constexpr std::size_t kMostWaitsTold = 64;
constexpr std::size_t kMostCallsTold = 512;

}  // namespace busbar::host
