// What a host and its command line say to each other over the Unix socket in the run directory.
//
// A frame is a length (four bytes, little endian, not counting themselves) and one CBOR map of that length. Requests
// may follow each other without waiting; each answer repeats the `seq` of its request, and answers come in the order in
// which they are ready. A client that ends its side of the connection is gone: what it asked for is cancelled.
//
// A payload is a byte string with one CBOR item in it, so that what the frame adds does not count towards the depth to
// which payloads may be nested, and an absent payload is not taken for null.
#pragma once

#include <busbar/cbor/cbor.hpp>
#include <busbar/payload.hpp>
#include <busbar/response.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::wire {

/// What both sides must agree on. Fields may be added without a new number, for both sides pass over unknown ones.
inline constexpr std::uint32_t kAdminProtocol = 1;

inline constexpr std::size_t kFrameHead = 4;
/// What a frame may have beyond the largest message, for all that is not payload.
inline constexpr std::size_t kFrameExtra = 64 * 1024;

using Item = std::vector<std::uint8_t>;  ///< one CBOR item, as it travels

namespace admin_verb {
inline constexpr std::string_view kCall = "call";
inline constexpr std::string_view kValidate = "validate";
inline constexpr std::string_view kAuthorized = "authorized";
inline constexpr std::string_view kDiscover = "discover";
inline constexpr std::string_view kServices = "services";
inline constexpr std::string_view kDescribe = "describe";
inline constexpr std::string_view kNodes = "nodes";
inline constexpr std::string_view kViews = "views";
inline constexpr std::string_view kPlugins = "plugins";
inline constexpr std::string_view kStatus = "status";
inline constexpr std::string_view kRescan = "rescan";
inline constexpr std::string_view kEvents = "events";
inline constexpr std::string_view kCalls = "calls";
inline constexpr std::string_view kStats = "stats";
inline constexpr std::string_view kTrail = "trail";
inline constexpr std::string_view kConfig = "config";
inline constexpr std::string_view kReloadConfig = "reload_config";
inline constexpr std::string_view kLoad = "load";
inline constexpr std::string_view kUnload = "unload";
inline constexpr std::string_view kReload = "reload";
inline constexpr std::string_view kRollback = "rollback";
inline constexpr std::string_view kWaits = "waits";  // between nodes alone
inline constexpr std::string_view kLogLevel = "log-level";
}  // namespace admin_verb

/// Codes of an answer that is an error of the conversation itself, beside `malformed` and `overloaded`.
namespace admin_code {
inline constexpr std::string_view kProtocol = "protocol";   ///< the two sides do not speak the same version
inline constexpr std::string_view kStopping = "stopping";   ///< the host is about to end
inline constexpr std::string_view kInternal = "internal";   ///< the host could not make an answer
inline constexpr std::string_view kTooLarge = "too_large";  ///< the answer is larger than what the asker accepts
inline constexpr std::string_view kNotDone = "not_done";    ///< what was asked for could not be done, and is not
}  // namespace admin_code

struct AdminRequest {
  std::uint32_t protocol = kAdminProtocol;
  std::uint64_t seq = 0;
  std::string verb;

  // for call, validate, authorized, discover, describe; the timeout for views too
  std::optional<std::string> service;
  std::optional<std::string> node;     // the node that must serve it; absent: any
  std::optional<Item> request;         // absent: {}
  std::optional<Item> assigns;         // a map
  std::optional<std::string> dry_run;  // "no", "yes", "verbose"
  std::optional<std::uint32_t> timeout_ms;
  std::optional<std::string> id;
  std::optional<std::string> correlation_id;  // for trail too: whose hops are told
  std::optional<std::string> strategy;        // "random", "least_pending", "sticky"; absent: as the service says
  std::optional<std::string> sticky_key;      // with "sticky"

  // for call and validate: the W3C trace that it belongs to; with the flag "sampled" its hops are remembered
  std::optional<std::string> traceparent;

  // for events: what the answer before gave as "next"; absent: the last ones
  std::optional<Item> after;

  // for load: the file's absolute path; for unload, reload, rollback: the plugin's name, or its file's
  std::optional<std::string> plugin;

  // for log-level: whose level, absent: that of all; and which, absent: they are shown
  std::optional<std::string> part;
  std::optional<std::string> level;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(protocol), CEREAL_NVP(seq), CEREAL_NVP(verb), CEREAL_NVP(service), CEREAL_NVP(node),
            CEREAL_NVP(request), CEREAL_NVP(assigns), CEREAL_NVP(dry_run), CEREAL_NVP(timeout_ms), CEREAL_NVP(id),
            CEREAL_NVP(correlation_id), CEREAL_NVP(strategy), CEREAL_NVP(sticky_key), CEREAL_NVP(after),
            CEREAL_NVP(plugin), CEREAL_NVP(traceparent), CEREAL_NVP(part), CEREAL_NVP(level));
  }
};

/// A response as it travels: what `busbar_response` has, by the names of its kinds.
struct WireResponse {
  std::string kind;
  std::optional<std::string> name;
  std::optional<std::string> text;
  std::optional<std::string> detail;
  std::optional<std::uint32_t> timeout_ms;
  std::optional<std::int64_t> version;
  std::optional<Item> value;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(kind), CEREAL_NVP(name), CEREAL_NVP(text), CEREAL_NVP(detail), CEREAL_NVP(timeout_ms),
            CEREAL_NVP(version), CEREAL_NVP(value));
  }
};

/// What came back from a dispatch (C-M9).
struct AdminReply {
  WireResponse response;
  std::string node;  // who answered
  std::uint64_t duration_us = 0;
  std::string message_id;
  std::string correlation_id;
  std::optional<Item> assigns;         // a map
  std::optional<Item> events;          // an array, with dry_run verbose
  std::optional<std::string> warning;  // for people

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(response), CEREAL_NVP(node), CEREAL_NVP(duration_us), CEREAL_NVP(message_id),
            CEREAL_NVP(correlation_id), CEREAL_NVP(assigns), CEREAL_NVP(events), CEREAL_NVP(warning));
  }
};

struct AdminError {
  std::string code;
  std::string text;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(code), CEREAL_NVP(text));
  }
};

/// One of `error`, `reply` (call, validate; authorized where it is no verdict) and `document` (all others).
struct AdminAnswer {
  std::uint32_t protocol = kAdminProtocol;
  std::uint64_t seq = 0;  // 0 where the request's could not be read
  std::optional<AdminError> error;
  std::optional<AdminReply> reply;
  std::optional<bool> authorized;  // authorized; with false, the refusal is in `reply`
  std::optional<Item> document;    // what --json shows

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(protocol), CEREAL_NVP(seq), CEREAL_NVP(error), CEREAL_NVP(reply), CEREAL_NVP(authorized),
            CEREAL_NVP(document));
  }
};

/// Just the version, which is looked at before anything else may be a fault.
struct AdminProtocol {
  std::uint32_t protocol = 0;
  std::uint64_t seq = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(protocol), field("seq", seq, 0));
  }
};

// -- payloads

inline std::optional<Item> item_of(const Payload& payload) {
  if (payload.empty()) return std::nullopt;
  return Item(payload.bytes().begin(), payload.bytes().end());
}
inline Payload payload_of(const std::optional<Item>& item) { return item ? Payload::own(*item) : Payload(); }

/// Errors: MalformedPayload where `item` is not exactly one well-formed CBOR item.
inline void check_item(std::span<const std::uint8_t> item) {
  cbor::detail::Reader reader(item);
  reader.skip(0);
  reader.expect_end();
}

// -- responses

namespace detail {
inline constexpr std::array<std::pair<Response::Kind, std::string_view>, 7> kKinds = {{
    {Response::Kind::ok, "ok"},
    {Response::Kind::created, "created"},
    {Response::Kind::service_unavailable, "service_unavailable"},
    {Response::Kind::service_timeout, "service_timeout"},
    {Response::Kind::validation_error, "validation_error"},
    {Response::Kind::missing_id, "missing_id"},
    {Response::Kind::error, "error"},
}};
}  // namespace detail

/// The kind's name, as in JSON; empty for none.
inline std::string_view name_of(Response::Kind kind) {
  for (const auto& [known, name] : detail::kKinds) {
    if (known == kind) return name;
  }
  return {};
}

inline WireResponse to_wire(const Response& response) {
  const busbar_response view = response.c_view();
  const auto text = [](busbar_text from) {
    return from.size == 0 ? std::nullopt : std::optional(std::string(from.data, from.size));
  };
  WireResponse out;
  out.kind = name_of(response.kind());
  out.name = text(view.name);
  out.text = text(view.text);
  out.detail = text(view.detail);
  if (view.timeout_ms != 0) out.timeout_ms = view.timeout_ms;
  out.version = response.version();
  out.value = item_of(response.value());
  return out;
}

/// Of a kind that is none of ours it makes a response of no kind.
inline Response from_wire(const WireResponse& wire) {
  busbar_response view{};
  view.struct_size = sizeof view;
  for (const auto& [kind, name] : detail::kKinds) {
    if (name == wire.kind) view.kind = static_cast<std::uint32_t>(kind);
  }
  const auto text = [](const std::optional<std::string>& from) {
    return from ? busbar_text{from->data(), from->size()} : busbar_text{};
  };
  view.name = text(wire.name);
  view.text = text(wire.text);
  view.detail = text(wire.detail);
  view.timeout_ms = wire.timeout_ms.value_or(0);
  if (wire.version) {
    view.flags |= BUSBAR_RESPONSE_HAS_VERSION;
    view.version = *wire.version;
  }
  Response out;
  out.assign(view, payload_of(wire.value));
  return out;
}

// -- frames

/// A request or an answer as a frame. Errors: EncodeError; std::length_error beyond 4 GiB.
template <class T>
std::vector<std::uint8_t> frame_of(const T& value) {
  cbor::ByteSink sink;
  sink.append("\0\0\0\0", kFrameHead);
  cbor::encode(value, sink);
  std::vector<std::uint8_t> frame = sink.take();
  const std::size_t size = frame.size() - kFrameHead;
  if (size > 0xFFFFFFFF) throw std::length_error("could not write a frame: it is larger than 4 GiB");
  for (std::size_t i = 0; i < kFrameHead; ++i) frame[i] = static_cast<std::uint8_t>(size >> (8 * i));
  return frame;
}

/// The length that a frame's first four bytes announce.
inline std::uint32_t announced_length(const std::uint8_t* head) {
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < kFrameHead; ++i) size |= static_cast<std::uint32_t>(head[i]) << (8 * i);
  return size;
}

}  // namespace busbar::wire
