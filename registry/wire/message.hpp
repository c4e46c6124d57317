// What nodes say to each other on the registry's plane (docs/protocol.md, "The registry's plane").
//
// One ZeroMQ message has one frame, and a frame one message: a CBOR map by field name, of which unknown fields are
// skipped. `type` (kType) says which; the protocol's version is in what opens a connection: hello, welcome and refused.
#pragma once

#include <busbar/payload.hpp>
#include <busbar/registry/record.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace busbar::registry::wire {

/// Another major is refused in words; a minor adds what older nodes skip.
inline constexpr std::uint32_t kMajor = 1;
// 1: strategies in records. 2: established, held_at, acknowledgements. 3: keys, and refusals because of them
inline constexpr std::uint32_t kMinor = 3;

/// The largest message, in bytes: for the sockets' own limit too. A record of 100,000 services fits.
inline constexpr std::size_t kMaxMessage = 64 * 1024 * 1024;
/// The most nodes that one message names.
inline constexpr std::size_t kMaxPeers = 10'000;
/// The longest text for people, in bytes.
inline constexpr std::size_t kMaxText = 1'024;

/// What nodes tell each other of a third one: enough to say hello to it.
struct PeerAddress {
  std::string name;
  std::uint64_t incarnation = 0;
  std::string registry_address;
  bool operator==(const PeerAddress&) const = default;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(incarnation), CEREAL_NVP(registry_address));
  }
};

/// First on every connection, from who dialled: who I am, and what I offer.
struct Hello {
  static constexpr const char* kType = "hello";
  std::uint32_t major = kMajor;
  std::uint32_t minor = kMinor;
  std::string cluster;
  NodeRecord record;
  bool established = false;  ///< I have been a member: of two such nodes of one name the later one is routed to (C-G8)

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(major), CEREAL_NVP(minor), CEREAL_NVP(cluster), CEREAL_NVP(record),
            field("established", established, false));
  }
};
/// The answer to hello: the same of me, and whom I know.
struct Welcome {
  static constexpr const char* kType = "welcome";
  std::uint32_t major = kMajor;
  std::uint32_t minor = kMinor;
  NodeRecord record;
  std::vector<PeerAddress> peers;
  bool established = false;  ///< as in hello

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(major), CEREAL_NVP(minor), CEREAL_NVP(record), CEREAL_NVP(peers),
            field("established", established, false));
  }
};
/// The other answer to hello.
struct Refused {
  static constexpr const char* kType = "refused";
  std::string code;               ///< one of the kRefused…; another one is of a later minor version
  std::string text;               ///< for an operator
  std::uint64_t incarnation = 0;  ///< stale_incarnation: the one that is known
  std::string held_at{};          ///< name_held: the registry address of who has the name; empty: it is not told

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(code), CEREAL_NVP(text), field("incarnation", incarnation, 0), field("held_at", held_at, ""));
  }
};
inline constexpr const char* kRefusedNameHeld = "name_held";                  ///< another live node has that name
inline constexpr const char* kRefusedStaleIncarnation = "stale_incarnation";  ///< a later start of that name is known
inline constexpr const char* kRefusedCluster = "other_cluster";
inline constexpr const char* kRefusedVersion = "other_version";
inline constexpr const char* kRefusedKey = "other_key";        ///< it claims a name that is not its key's (from 1.3)
inline constexpr const char* kRefusedFull = "too_many_nodes";  ///< it has as many peers as it may have

/// My record as it is now: to everybody at once when it changes, and to whoever asks.
struct Announce {
  static constexpr const char* kType = "announce";
  NodeRecord record;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(record));
  }
};
/// I am alive, and my record has this version.
struct Heartbeat {
  static constexpr const char* kType = "heartbeat";
  std::string name;
  std::uint64_t incarnation = 0;
  std::uint64_t version = 0;
  std::uint64_t sent_us = 0;  ///< by the sender's own clock; comes back in the answer

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(incarnation), CEREAL_NVP(version), CEREAL_NVP(sent_us));
  }
};
struct HeartbeatAck {
  static constexpr const char* kType = "heartbeat_ack";
  std::uint64_t sent_us = 0;  ///< of the heartbeat
  bool want_record = false;   ///< I do not have that version: announce it
  std::uint64_t version = 0;  ///< of your record, in this incarnation, that I have; 0: none, or not said (before 1.2)
  std::uint64_t own_version = 0;  ///< of my record; 0: not said (before 1.2)

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(sent_us), field("want_record", want_record, false), field("version", version, 0),
            field("own_version", own_version, 0));
  }
};
/// Nodes that I know.
struct Peers {
  static constexpr const char* kType = "peers";
  std::vector<PeerAddress> peers;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(peers));
  }
};
/// Are you there, and who are you?
struct Ping {
  static constexpr const char* kType = "ping";
  std::uint64_t nonce = 0;  ///< comes back in the answer

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(nonce));
  }
};
struct Pong {
  static constexpr const char* kType = "pong";
  std::uint64_t nonce = 0;
  std::string name;
  std::uint64_t incarnation = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(nonce), CEREAL_NVP(name), CEREAL_NVP(incarnation));
  }
};
/// I am leaving.
struct Goodbye {
  static constexpr const char* kType = "goodbye";
  std::string name;
  std::uint64_t incarnation = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(incarnation));
  }
};
/// Of a type that a later minor version has; only ever read.
struct Unknown {
  std::string type;
};
/// Of another major version; only ever read.
struct OtherMajor {
  std::string type;
  std::uint32_t major = 0;
};

using Message = std::variant<Hello, Welcome, Refused, Announce, Heartbeat, HeartbeatAck, Peers, Ping, Pong, Goodbye,
                             Unknown, OtherMajor>;

/// Bytes that are no message. `what()` tells what was expected and what was found; it may quote the sender.
class BadMessage : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The type's name on the wire, such as "heartbeat_ack"; of what is only read, the sender's.
std::string type_of(const Message& message);

/// Errors: std::invalid_argument for what is only read, or a text that is no UTF-8; std::bad_alloc.
std::vector<std::uint8_t> encode(const Message& message);

/// Sizes, counts, names and addresses are checked; records are canonical (see record/record_check.hpp).
/// Errors: BadMessage. Takes memory in proportion to the bytes that are there, whatever they claim.
Message decode(std::span<const std::uint8_t> bytes);

}  // namespace busbar::registry::wire
