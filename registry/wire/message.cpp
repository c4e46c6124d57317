#include "wire/message.hpp"

#include <busbar/names.hpp>
#include <busbar/payload.hpp>

#include "record/record_check.hpp"

#include <type_traits>

namespace busbar::registry {

template <class Archive>
void serialize(Archive& archive, RemoteService& service) {
  archive(cereal::make_nvp("name", service.name), cereal::make_nvp("router", service.router),
          field("inline", service.is_inline, false), field("idempotent", service.idempotent, false),
          field("dry_run_safe", service.dry_run_safe, false), field("timeout_ms", service.timeout_ms, 0));
}

template <class Archive>
void serialize(Archive& archive, NodeRecord& record) {
  archive(cereal::make_nvp("name", record.name), cereal::make_nvp("incarnation", record.incarnation),
          cereal::make_nvp("version", record.version), cereal::make_nvp("call_address", record.call_address),
          cereal::make_nvp("registry_address", record.registry_address), cereal::make_nvp("services", record.services));
}

namespace wire {
namespace {

/// What every message has; the rest is read once that is known.
struct Head {
  std::string type;
  std::uint32_t major = kMajor;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::make_nvp("type", type), field("major", major, kMajor));
  }
};

}  // namespace

template <class Archive>
void serialize(Archive& archive, PeerAddress& peer) {
  archive(cereal::make_nvp("name", peer.name), cereal::make_nvp("incarnation", peer.incarnation),
          cereal::make_nvp("registry_address", peer.registry_address));
}
template <class Archive>
void serialize(Archive& archive, Hello& hello) {
  archive(cereal::make_nvp("major", hello.major), cereal::make_nvp("minor", hello.minor),
          cereal::make_nvp("cluster", hello.cluster), cereal::make_nvp("record", hello.record));
}
template <class Archive>
void serialize(Archive& archive, Welcome& welcome) {
  archive(cereal::make_nvp("major", welcome.major), cereal::make_nvp("minor", welcome.minor),
          cereal::make_nvp("record", welcome.record), cereal::make_nvp("peers", welcome.peers));
}
template <class Archive>
void serialize(Archive& archive, Refused& refused) {
  archive(cereal::make_nvp("code", refused.code), cereal::make_nvp("text", refused.text),
          field("incarnation", refused.incarnation, 0));
}
template <class Archive>
void serialize(Archive& archive, Announce& announce) {
  archive(cereal::make_nvp("record", announce.record));
}
template <class Archive>
void serialize(Archive& archive, Heartbeat& heartbeat) {
  archive(cereal::make_nvp("name", heartbeat.name), cereal::make_nvp("incarnation", heartbeat.incarnation),
          cereal::make_nvp("version", heartbeat.version), cereal::make_nvp("sent_us", heartbeat.sent_us));
}
template <class Archive>
void serialize(Archive& archive, HeartbeatAck& ack) {
  archive(cereal::make_nvp("sent_us", ack.sent_us), field("want_record", ack.want_record, false));
}
template <class Archive>
void serialize(Archive& archive, Peers& peers) {
  archive(cereal::make_nvp("peers", peers.peers));
}
template <class Archive>
void serialize(Archive& archive, Ping& ping) {
  archive(cereal::make_nvp("nonce", ping.nonce));
}
template <class Archive>
void serialize(Archive& archive, Pong& pong) {
  archive(cereal::make_nvp("nonce", pong.nonce), cereal::make_nvp("name", pong.name),
          cereal::make_nvp("incarnation", pong.incarnation));
}
template <class Archive>
void serialize(Archive& archive, Goodbye& goodbye) {
  archive(cereal::make_nvp("name", goodbye.name), cereal::make_nvp("incarnation", goodbye.incarnation));
}

namespace {

template <class Body>
constexpr const char* kType = nullptr;  // of what is only read
template <>
constexpr const char* kType<Hello> = "hello";
template <>
constexpr const char* kType<Welcome> = "welcome";
template <>
constexpr const char* kType<Refused> = "refused";
template <>
constexpr const char* kType<Announce> = "announce";
template <>
constexpr const char* kType<Heartbeat> = "heartbeat";
template <>
constexpr const char* kType<HeartbeatAck> = "heartbeat_ack";
template <>
constexpr const char* kType<Peers> = "peers";
template <>
constexpr const char* kType<Ping> = "ping";
template <>
constexpr const char* kType<Pong> = "pong";
template <>
constexpr const char* kType<Goodbye> = "goodbye";

/// A message with its type before its own fields, in one map.
template <class Body>
struct Typed {
  std::string type;
  Body& body;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::make_nvp("type", type));
    using wire::serialize;
    serialize(archive, body);
  }
};

[[noreturn]] void fail(const std::string& what) { throw BadMessage("could not read a registry message: " + what); }

void check_node(std::string_view name, std::uint64_t incarnation) {
  if (!is_node_name(name)) fail("name of a node: expected " + std::string(kNodeNameRule));
  if (incarnation > kMaxIncarnation) fail("incarnation: expected at most 2^62, found " + std::to_string(incarnation));
}
void check_record(const NodeRecord& record) {
  if (const std::string fault = fault_of(record); !fault.empty()) fail(fault);
}
void check_peers(const std::vector<PeerAddress>& peers) {
  if (peers.size() > kMaxPeers)
    fail("peers: expected at most " + std::to_string(kMaxPeers) + ", found " + std::to_string(peers.size()));
  for (const PeerAddress& peer : peers) {
    check_node(peer.name, peer.incarnation);
    if (!is_address(peer.registry_address))
      fail("address of peer " + peer.name + ": expected transport://address of at most 256 printable bytes");
  }
}

void check(const Hello& hello) {
  if (hello.cluster.size() > kMaxText) fail("cluster: expected at most 1024 bytes");
  check_record(hello.record);
}
void check(const Welcome& welcome) {
  check_record(welcome.record);
  check_peers(welcome.peers);
}
void check(const Refused& refused) {
  if (refused.code.size() > kMaxText || refused.text.size() > kMaxText) fail("refusal: expected at most 1024 bytes");
  if (refused.incarnation > kMaxIncarnation) fail("incarnation of a refusal: expected at most 2^62");
}
void check(const Announce& announce) { check_record(announce.record); }
void check(const Heartbeat& heartbeat) { check_node(heartbeat.name, heartbeat.incarnation); }
void check(const HeartbeatAck&) {}
void check(const Peers& peers) { check_peers(peers.peers); }
void check(const Ping&) {}
void check(const Pong& pong) { check_node(pong.name, pong.incarnation); }
void check(const Goodbye& goodbye) { check_node(goodbye.name, goodbye.incarnation); }

template <class Body>
bool decode_as(std::string_view type, std::span<const std::uint8_t> bytes, Message& message) {
  if constexpr (kType<Body> == nullptr) {
    return false;
  } else {
    if (type != kType<Body>) return false;
    auto body = cbor::decode<Body>(bytes);
    check(body);
    message = std::move(body);
    return true;
  }
}

template <class... Body>
Message decode_one(const Head& head, std::span<const std::uint8_t> bytes, const std::variant<Body...>*) {
  Message message = Unknown{head.type};
  (decode_as<Body>(head.type, bytes, message) || ...);
  return message;
}

}  // namespace

std::string type_of(const Message& message) {
  return std::visit(
      [](const auto& body) -> std::string {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (kType<Body> == nullptr) {
          return body.type;
        } else {
          return kType<Body>;
        }
      },
      message);
}

std::vector<std::uint8_t> encode(const Message& message) {
  cbor::ByteSink sink;
  std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (kType<Body> == nullptr) {
          throw std::invalid_argument("could not write a registry message: \"" + body.type + "\" is only ever read");
        } else {
          try {
            cbor::encode(Typed<Body>{kType<Body>, const_cast<Body&>(body)}, sink);  // serialize takes both directions
          } catch (const EncodeError& error) {
            throw std::invalid_argument(error.what());
          }
        }
      },
      message);
  return sink.take();
}

Message decode(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > kMaxMessage)
    fail("expected at most " + std::to_string(kMaxMessage) + " bytes, found " + std::to_string(bytes.size()));
  try {
    const auto head = cbor::decode<Head>(bytes);
    if (head.type.size() > kMaxText) fail("type: expected at most 1024 bytes");
    // A refusal is read whatever version it has: it tells why.
    if (head.major != kMajor && head.type != kType<Refused>) return OtherMajor{head.type, head.major};
    return decode_one(head, bytes, static_cast<const Message*>(nullptr));
  } catch (const DecodeError& error) {
    fail(error.what());
  } catch (const MalformedPayload& error) {
    fail(error.what());
  }
}

}  // namespace wire
}  // namespace busbar::registry
