#include "wire/message.hpp"

#include <busbar/names.hpp>
#include <busbar/payload.hpp>

#include "record/record_check.hpp"

namespace busbar::registry {

template <class Archive>
void serialize(Archive& archive, RemoteService& service) {
  std::optional<std::string> strategy, sticky_field;  // most have neither
  if (service.strategy != Strategy::standard) strategy = name_of(service.strategy);
  if (!service.sticky_field.empty()) sticky_field = service.sticky_field;
  archive(cereal::make_nvp("name", service.name), cereal::make_nvp("router", service.router),
          field("inline", service.is_inline, false), field("idempotent", service.idempotent, false),
          field("dry_run_safe", service.dry_run_safe, false), field("timeout_ms", service.timeout_ms, 0),
          CEREAL_NVP(strategy), CEREAL_NVP(sticky_field));
  service.strategy = strategy_of(strategy.value_or(""));
  service.sticky_field = std::move(sticky_field).value_or("");
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
    archive(CEREAL_NVP(type), field("major", major, kMajor));
  }
};

/// Not of what is only ever read.
template <class Body>
concept Writable = requires {
  Body::kType;
};

/// A message with its type before its own fields, in one map.
template <class Body>
struct Typed {
  std::string type;
  Body& body;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(type));
    body.serialize(archive);
  }
};

[[noreturn]] void fail(const std::string& what) { throw BadMessage("could not read a registry message: " + what); }

void check_node(std::string_view name, std::uint64_t incarnation) {
  if (!is_node_name(name)) fail("name of a node: expected " + std::string(kNodeNameRule));
  if (incarnation > kMaxIncarnation) fail("incarnation: expected at most 2^62, found " + std::to_string(incarnation));
}
void check_text(const std::string& what, std::string_view text) {
  if (text.size() > kMaxText) fail(what + ": expected at most " + std::to_string(kMaxText) + " bytes");
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

/// By its fields, so that no message can be made that forgets one of these.
template <class Body>
void check(const Body& body) {
  if constexpr (requires { body.record; }) check_record(body.record);
  if constexpr (requires { body.peers; }) check_peers(body.peers);
  if constexpr (requires { body.name; }) check_node(body.name, body.incarnation);
  if constexpr (requires { body.cluster; }) check_text("cluster", body.cluster);
}
void check(const Refused& refused) {
  check_text("code of a refusal", refused.code);
  check_text("text of a refusal", refused.text);
  if (refused.incarnation > kMaxIncarnation) fail("incarnation of a refusal: expected at most 2^62");
  if (!refused.held_at.empty() && !is_address(refused.held_at))
    fail("address in a refusal: expected transport://address of at most 256 printable bytes");
}

template <class Body>
bool decode_as(std::string_view type, std::span<const std::uint8_t> bytes, Message& message) {
  if constexpr (Writable<Body>) {
    if (type != Body::kType) return false;
    auto body = cbor::decode<Body>(bytes);
    check(body);
    message = std::move(body);
    return true;
  }
  return false;
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
      []<class Body>(const Body& body) -> std::string {
        if constexpr (Writable<Body>) {
          return Body::kType;
        } else {
          return body.type;
        }
      },
      message);
}

std::vector<std::uint8_t> encode(const Message& message) {
  cbor::ByteSink sink;
  std::visit(
      [&]<class Body>(const Body& body) {
        if constexpr (Writable<Body>) {
          try {
            cbor::encode(Typed<Body>{Body::kType, const_cast<Body&>(body)}, sink);  // serialize takes both directions
          } catch (const EncodeError& error) {
            throw std::invalid_argument(error.what());
          }
        } else {
          throw std::invalid_argument("could not write a registry message: \"" + body.type + "\" is only ever read");
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
    check_text("type", head.type);
    // A refusal is read whatever version it has: it tells why.
    if (head.major != kMajor && head.type != Refused::kType) return OtherMajor{head.type, head.major};
    return decode_one(head, bytes, static_cast<const Message*>(nullptr));
  } catch (const DecodeError& error) {
    fail(error.what());
  } catch (const MalformedPayload& error) {
    fail(error.what());
  }
}

}  // namespace wire
}  // namespace busbar::registry
