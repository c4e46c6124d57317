// What a call ends with: one of a closed set, so that a caller can match on it exhaustively.
#pragma once

#include <busbar/abi.h>
#include <busbar/payload.hpp>
#include <busbar/text.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar {

/// Codes that the system itself uses; an application adds its own beside them.
namespace code {
inline constexpr std::string_view kForbidden = "forbidden";
inline constexpr std::string_view kTryAnotherNode = "try_another_node";
inline constexpr std::string_view kNoNodesAvailable = "no_nodes_available";
inline constexpr std::string_view kBadRpc = "badrpc";
inline constexpr std::string_view kOverloaded = "overloaded";
inline constexpr std::string_view kMalformed = "malformed";
inline constexpr std::string_view kWouldBlock = "would_block";
}  // namespace code

/// Kinds of `badrpc`.
namespace badrpc {
inline constexpr std::string_view kExit = "exit";
inline constexpr std::string_view kNodedown = "nodedown";
inline constexpr std::string_view kTimeout = "timeout";
inline constexpr std::string_view kBadReturn = "bad_return";
inline constexpr std::string_view kUnloaded = "unloaded";
}  // namespace badrpc

/// A row of a validation_error's details, as `{"path", "expected", "found"}`.
template <class Archive>
void serialize(Archive& archive, FieldError& row) {
  archive(cereal::make_nvp("path", row.path), cereal::make_nvp("expected", row.expected),
          cereal::make_nvp("found", row.found));
}

/// A provider that could not serve a call, and the reason that it gave: a row of `no_nodes_available`.
struct NodeReason {
  std::string node, reason;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(node), CEREAL_NVP(reason));
  }
};

/// The outcome of a call. Made by the named functions below only, so that it always fits its kind.
class Response {
 public:
  enum class Kind : std::uint32_t {
    none = BUSBAR_RESPONSE_NONE,  ///< not answered yet
    ok = BUSBAR_RESPONSE_OK,
    created = BUSBAR_RESPONSE_CREATED,
    service_unavailable = BUSBAR_RESPONSE_SERVICE_UNAVAILABLE,
    service_timeout = BUSBAR_RESPONSE_SERVICE_TIMEOUT,
    validation_error = BUSBAR_RESPONSE_VALIDATION_ERROR,
    missing_id = BUSBAR_RESPONSE_MISSING_ID,
    error = BUSBAR_RESPONSE_ERROR,
  };

  Response() noexcept = default;

  static Response ok() { return Response(Kind::ok); }
  static Response ok_payload(Payload value) {
    Response out(Kind::ok);
    out.value_ = std::move(value);
    return out;
  }
  /// Errors: throws what the encoding of `value` throws (text that is not UTF-8).
  template <class T>
  static Response ok(const T& value) {
    return ok_payload(Payload::of(value));
  }
  template <class T>
  static Response ok(const T& value, std::int64_t version) {
    return ok(value).at_version(version);
  }
  /// `ok(none, version)`.
  static Response ok_version(std::int64_t version) { return ok().at_version(version); }

  static Response created(std::string_view id) { return named(Kind::created, id); }
  static Response created(std::string_view id, std::int64_t version) { return created(id).at_version(version); }

  static Response service_unavailable(std::string_view service) { return named(Kind::service_unavailable, service); }
  static Response service_timeout(std::string_view service, std::string_view message_id, std::uint32_t timeout_ms) {
    Response out = named(Kind::service_timeout, service);
    out.text_ = Text(message_id);
    out.timeout_ms_ = timeout_ms;
    return out;
  }
  static Response validation_error(const std::vector<FieldError>& details) {
    return validation_error_payload(Payload::of(details));
  }
  static Response validation_error_payload(Payload details) {
    Response out(Kind::validation_error);
    out.value_ = std::move(details);
    return out;
  }
  static Response missing_id(std::string_view field) { return named(Kind::missing_id, field); }

  /// An application's error. `code` is `[a-z][a-z0-9_]{0,63}`, `text` for people.
  static Response error(std::string_view code, std::string_view text = {}, Payload value = {}) {
    Response out = named(Kind::error, code);
    out.text_ = Text(text);
    out.value_ = std::move(value);
    return out;
  }
  static Response forbidden() { return error(code::kForbidden, "the service's router does not authorize this call"); }
  static Response bad_rpc(std::string_view kind, std::string_view text) {
    Response out = error(code::kBadRpc, text);
    out.detail_ = Text(kind);
    return out;
  }
  static Response try_another_node(std::string_view reason) {
    Response out = error(code::kTryAnotherNode);
    out.detail_ = Text(reason);
    return out;
  }
  static Response no_nodes_available(const std::vector<NodeReason>& nodes) {
    return error(code::kNoNodesAvailable, "every provider was asked, and none could serve the call",
                 Payload::of(nodes));
  }

  Kind kind() const noexcept { return kind_; }
  explicit operator bool() const noexcept { return kind_ != Kind::none; }
  bool succeeded() const noexcept { return kind_ == Kind::ok || kind_ == Kind::created; }
  bool is_error(std::string_view code) const noexcept { return kind_ == Kind::error && name_.view() == code; }
  bool is_bad_rpc(std::string_view kind) const noexcept { return is_error(code::kBadRpc) && detail_.view() == kind; }

  std::string_view id() const noexcept { return of_kind(Kind::created); }        ///< created
  std::string_view field() const noexcept { return of_kind(Kind::missing_id); }  ///< missing_id
  std::string_view error_code() const noexcept { return of_kind(Kind::error); }  ///< error
  std::string_view service() const noexcept {                                    ///< service_unavailable, _timeout
    return kind_ == Kind::service_unavailable || kind_ == Kind::service_timeout ? name_.view() : std::string_view{};
  }
  std::string_view text() const noexcept { return kind_ == Kind::error ? text_.view() : std::string_view{}; }
  std::string_view message_id() const noexcept {  ///< service_timeout
    return kind_ == Kind::service_timeout ? text_.view() : std::string_view{};
  }
  std::string_view bad_rpc_kind() const noexcept { return detail_.view(); }  ///< error badrpc
  std::string_view reason() const noexcept { return detail_.view(); }        ///< error try_another_node
  std::uint32_t timeout_ms() const noexcept { return timeout_ms_; }
  std::optional<std::int64_t> version() const noexcept { return version_; }

  /// The value of `ok` and `error`, the details of a validation error, the nodes of `no_nodes_available`.
  const Payload& value() const noexcept { return value_; }
  /// The value as a T. Errors: throws DecodeError where it is none, or absent.
  template <class T>
  T value_as() const {
    return value_.decode<T>();
  }

  /// The same with a version; for ok and created.
  Response at_version(std::int64_t version) && {
    version_ = version;
    return std::move(*this);
  }

  /// Ownership: points into this response, which must stay unchanged for as long as the result is used.
  busbar_response c_view() const noexcept {
    busbar_response out{};
    out.struct_size = sizeof out;
    out.kind = static_cast<std::uint32_t>(kind_);
    out.flags = (value_.empty() ? 0u : BUSBAR_RESPONSE_HAS_VALUE) | (version_ ? BUSBAR_RESPONSE_HAS_VERSION : 0u);
    out.timeout_ms = timeout_ms_;
    out.version = version_.value_or(0);
    out.name = name_.c_text();
    out.text = text_.c_text();
    out.detail = detail_.c_text();
    out.value = {value_.bytes().data(), value_.bytes().size()};
    return out;
  }

  /// Ownership: borrows from `view`; copying the result owns. A kind that is none of ours becomes `none`.
  static Response borrow(const busbar_response& view) noexcept {
    if (view.kind > BUSBAR_RESPONSE_ERROR) return {};
    return Response(view, Text::borrow(view.name), Text::borrow(view.text), Text::borrow(view.detail),
                    has_value(view) ? Payload::borrow({view.value.data, view.value.size}) : Payload());
  }
  /// Becomes what `view` says, owning its texts, with this value in place of the view's.
  /// Errors: std::bad_alloc; then it is something of both.
  void assign(const busbar_response& view, Payload&& value) {
    kind_ = view.kind > BUSBAR_RESPONSE_ERROR ? Kind::none : static_cast<Kind>(view.kind);
    timeout_ms_ = view.timeout_ms;
    version_ = (view.flags & BUSBAR_RESPONSE_HAS_VERSION) != 0 ? std::optional(view.version) : std::nullopt;
    put(name_, view.name);
    put(text_, view.text);
    put(detail_, view.detail);
    value_ = std::move(value);
  }

 private:
  explicit Response(Kind kind) noexcept : kind_(kind) {}
  Response(const busbar_response& view, Text&& name, Text&& text, Text&& detail, Payload&& value) noexcept
      : kind_(static_cast<Kind>(view.kind)),
        timeout_ms_(view.timeout_ms),
        name_(std::move(name)),
        text_(std::move(text)),
        detail_(std::move(detail)),
        value_(std::move(value)) {
    if (view.flags & BUSBAR_RESPONSE_HAS_VERSION) version_ = view.version;
  }
  static bool has_value(const busbar_response& view) noexcept { return view.flags & BUSBAR_RESPONSE_HAS_VALUE; }
  static void put(Text& to, busbar_text from) {
    if (from.size != 0 || !to.empty()) to = Text(std::string_view(from.data, from.size));
  }
  static Response named(Kind kind, std::string_view name) {
    Response out(kind);
    out.name_ = Text(name);
    return out;
  }
  std::string_view of_kind(Kind kind) const noexcept { return kind_ == kind ? name_.view() : std::string_view{}; }

  Kind kind_ = Kind::none;
  std::uint32_t timeout_ms_ = 0;
  std::optional<std::int64_t> version_;
  Text name_;  // as busbar_response says it for each kind
  Text text_;
  Text detail_;
  Payload value_;
};

}  // namespace busbar
