// How an envelope is written and read. Included by envelope.hpp, which says what each field means.
#pragma once

#include <busbar/cbor/reader.hpp>
#include <busbar/cbor/sink.hpp>
#include <busbar/wire/envelope.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace busbar::wire {
namespace detail {

/// Shows `visit` each field: its key, its name and itself, in ascending order of the keys, which is the order in which
/// they are written. A key never changes its meaning and is never used again; new ones go to the end. Below 24 a key
/// takes one byte: those are what requests and answers have.
template <class AnEnvelope, class Visit>
[[gnu::always_inline]] inline void visit_fields(AnEnvelope& envelope, Visit& visit) {
  visit(0, "type", envelope.type);
  visit(1, "major", envelope.major);
  visit(2, "attempt", envelope.attempt);
  visit(3, "service", envelope.service);
  visit(4, "message_id", envelope.message_id);
  visit(5, "origin_node", envelope.origin_node);
  visit(6, "invoked_at_us", envelope.invoked_at_us);
  visit(7, "remaining_us", envelope.remaining_us);
  visit(8, "raw_request", envelope.raw_request);
  visit(9, "correlation_id", envelope.correlation_id);
  visit(10, "causation_id", envelope.causation_id);
  visit(11, "assigns", envelope.assigns, envelope.has_assigns);
  visit(12, "logger_metadata", envelope.logger_metadata);
  visit(13, "request", envelope.request);
  visit(14, "aggregate_meta", envelope.aggregate_meta);
  visit(15, "events", envelope.events);
  visit(16, "dry_run", envelope.dry_run);
  visit(17, "kind", envelope.kind);
  visit(18, "name", envelope.name);
  visit(19, "version", envelope.version, envelope.has_version);
  visit(20, "value", envelope.value);
  visit(21, "node", envelope.node);
  visit(22, "text", envelope.text);
  visit(23, "detail", envelope.detail);
  visit(24, "minor", envelope.minor);
  visit(25, "cluster", envelope.cluster);
  visit(26, "incarnation", envelope.incarnation);
  visit(27, "role", envelope.role);
  visit(28, "max_message", envelope.max_message);
  visit(29, "only_node", envelope.only_node);
  visit(30, "authorize_only", envelope.authorize_only);
  visit(31, "halted_invalid", envelope.halted_invalid);
  visit(32, "is_forwarded", envelope.is_forwarded);
  visit(33, "answer_to", envelope.answer_to);
  visit(34, "answer_to_incarnation", envelope.answer_to_incarnation);
  visit(35, "answer_attempt", envelope.answer_attempt);
  visit(36, "timeout_ms", envelope.timeout_ms);
  visit(37, "unstarted", envelope.unstarted);
  visit(38, "warning", envelope.warning);
  visit(39, "body", envelope.body);
  visit(40, "strategy", envelope.strategy);
  visit(41, "sticky_key", envelope.sticky_key);
  visit(42, "traceparent", envelope.traceparent);
  visit(43, "keeps_places", envelope.keeps_places);
}
inline constexpr unsigned kKeys = 44;

/// An upper bound of what an envelope takes.
class EnvelopeSize {
 public:
  template <class T>
  void operator()(unsigned, const char*, const T& field) noexcept {
    if constexpr (requires { field.size(); }) bytes += field.size();
  }
  template <class T>
  void operator()(unsigned key, const char* name, const T& field, bool) noexcept {
    (*this)(key, name, field);
  }
  std::size_t bytes = 2 * cbor::detail::kMaxHead + kKeys * (2 + cbor::detail::kMaxHead);
};

/// Writes fields to memory that has room for them.
class EnvelopeWriter {
 public:
  explicit EnvelopeWriter(std::uint8_t* to) noexcept : position(to) {}

  [[gnu::always_inline]] void operator()(unsigned key, const char*, std::string_view text) noexcept {
    if (!text.empty()) put(key, cbor::detail::kText, text.data(), text.size());
  }
  [[gnu::always_inline]] void operator()(unsigned key, const char*, Bytes bytes) noexcept {
    if (!bytes.empty()) put(key, cbor::detail::kBytes, bytes.data(), bytes.size());
  }
  [[gnu::always_inline]] void operator()(unsigned key, const char*, Bytes bytes, bool present) noexcept {
    if (present || !bytes.empty()) put(key, cbor::detail::kBytes, bytes.data(), bytes.size());
  }
  [[gnu::always_inline]] void operator()(unsigned key, const char*, bool value) noexcept {
    if (!value) return;
    put_key(key);
    *position++ = cbor::detail::kTrue;
  }
  template <class Number>
  requires(std::integral<Number> || std::is_enum_v<Number>) [[gnu::always_inline]] void operator()(
      unsigned key, const char*, Number value) noexcept {
    // What kind of envelope it is, and of which version, is always said.
    if (key > 1 && value == Number{}) return;
    put_number(key, static_cast<std::int64_t>(value), std::is_signed_v<Number>);
  }
  [[gnu::always_inline]] void operator()(unsigned key, const char*, std::int64_t value, bool present) noexcept {
    if (present) put_number(key, value, true);
  }

  std::uint8_t* position;
  unsigned count = 0;

 private:
  [[gnu::always_inline]] void put_key(unsigned key) noexcept {
    position = cbor::detail::put_head(position, cbor::detail::kUnsigned, key);
    ++count;
  }
  [[gnu::always_inline]] void put_number(unsigned key, std::int64_t value, bool may_be_negative) noexcept {
    put_key(key);
    const auto bits = static_cast<std::uint64_t>(value);
    const bool negative = may_be_negative && value < 0;
    position = cbor::detail::put_head(position, negative ? cbor::detail::kNegative : cbor::detail::kUnsigned,
                                      negative ? ~bits : bits);
  }
  [[gnu::always_inline]] void put(unsigned key, cbor::detail::Major major, const void* data,
                                  std::size_t size) noexcept {
    put_key(key);
    position = cbor::detail::put_head(position, major, size);
    if (size != 0) std::memcpy(position, data, size);
    position += size;
  }
};

/// Reads one envelope. Fields in the order in which they are written are read in one pass over the list of fields; each
/// that comes earlier than the one before it costs another pass, of which there are at most as many as there are
/// fields.
class EnvelopeReader {
 public:
  EnvelopeReader(Bytes frame, Envelope& envelope) : reader_(frame, "the envelope"), envelope_(envelope) {}

  void read() {
    map_ = reader_.head();
    if (map_.major() != cbor::detail::kMap) reader_.fail("it is no map");
    left_ = map_.value;
    for (next(); key_ != kEnd; skip_unknown()) visit_fields(envelope_, *this);
    if ((seen_ & kTypeAndMajor) != kTypeAndMajor) reader_.fail("it has no type (key 0) or no major version (key 1)");
    if (envelope_.dry_run > BUSBAR_DRY_RUN_VERBOSE && !is_foreign()) {
      reader_.fail("key 16 (dry_run) is not what was expected: 0 (no), 1 (yes) or 2 (verbose)");
    }
  }

  /// What the envelope took.
  std::size_t size() const noexcept { return static_cast<std::size_t>(reader_.position - reader_.begin); }

  template <class T>
  [[gnu::always_inline]] void operator()(unsigned key, const char* name, T& field) {
    if (key_ == key) [[unlikely]]
      take(name, field);
  }
  template <class T>
  [[gnu::always_inline]] void operator()(unsigned key, const char* name, T& field, bool& present) {
    if (key_ == key) [[unlikely]]
      present = take(name, field);
  }

 private:
  using Head = cbor::detail::Head;
  enum : std::uint64_t { kUnknown = kKeys, kEnd = kKeys + 1, kMajor = 1 << 1, kTypeAndMajor = 1 << 0 | kMajor };

  void next() {
    if (!reader_.another(map_, left_)) {
      key_ = kEnd;
      return;
    }
    const Head key = reader_.head();
    if (key.major() != cbor::detail::kUnsigned) [[unlikely]]
      reader_.fail("a key is no unsigned integer");
    key_ = std::min<std::uint64_t>(key.value, kUnknown);
    if (key_ == kUnknown) return;
    const std::uint64_t bit = std::uint64_t{1} << key_;
    if ((seen_ & bit) != 0) [[unlikely]]
      fail_about_key("comes twice");
    seen_ |= bit;
  }

  void skip_unknown() {
    while (key_ == kUnknown) {
      skip(1);
      next();
    }
  }

  /// Passes over one item of whatever kind. (The payloads' reader does not: it wants keys that are text.)
  void skip(unsigned depth) { skip_body(reader_.item_head(depth), depth); }
  void skip_body(const Head& item, unsigned depth) {
    const bool is_map = item.major() == cbor::detail::kMap;
    if (!is_map && item.major() != cbor::detail::kArray) {
      if (item.major() != cbor::detail::kTag) return reader_.skip_body(item, depth);
      return skip(depth + 1);
    }
    reader_.enter(depth);
    for (std::uint64_t left = item.value; reader_.another(item, left);) {
      skip(depth + 1);
      if (is_map) skip(depth + 1);
    }
  }

  /// Reads the value behind the key, and the next key. False: it was passed over.
  template <class T>
  bool take(const char* name, T& field) {
    const Head item = reader_.head();
    const bool fits = get(item, field);
    if (!fits) [[unlikely]]
      pass_over(name, expected(field), item);
    next();
    return fits;
  }

  bool get(const Head& item, std::string_view& text) {
    if (item.major() != cbor::detail::kText || item.indefinite()) return false;
    text = reader_.text_body(item);
    return true;
  }
  bool get(const Head& item, Bytes& bytes) {
    if (item.major() != cbor::detail::kBytes || item.indefinite()) return false;
    bytes = {reader_.position, static_cast<std::size_t>(item.value)};
    reader_.position += item.value;
    return true;
  }
  bool get(const Head& item, bool& value) {
    value = item.first == cbor::detail::kTrue;
    return value || item.first == cbor::detail::kFalse;
  }
  bool get(const Head& item, std::int64_t& value) {
    const bool negative = item.major() == cbor::detail::kNegative;
    if (!negative && item.major() != cbor::detail::kUnsigned) return false;
    if (item.value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
    value = static_cast<std::int64_t>(negative ? ~item.value : item.value);
    return true;
  }
  template <std::unsigned_integral Number>
  bool get(const Head& item, Number& value) {
    if (item.major() != cbor::detail::kUnsigned || item.value > std::numeric_limits<Number>::max()) return false;
    value = static_cast<Number>(item.value);
    return true;
  }
  bool get(const Head& item, EnvelopeType& type) {
    if (item.major() != cbor::detail::kUnsigned) return false;
    type = item.value <= static_cast<std::uint64_t>(EnvelopeType::closing) ? static_cast<EnvelopeType>(item.value)
                                                                           : EnvelopeType::none;
    return true;
  }
  bool get(const Head& item, Role& role) {
    if (item.major() != cbor::detail::kUnsigned || item.value > static_cast<std::uint64_t>(Role::node)) return false;
    role = static_cast<Role>(item.value);
    return true;
  }

  static const char* expected(const std::string_view&) { return "text in one piece"; }
  static const char* expected(const Bytes&) { return "bytes in one piece"; }
  static const char* expected(const bool&) { return "true or false"; }
  static const char* expected(const std::int64_t&) { return "an integer of 64 bits"; }
  static const char* expected(const std::uint64_t&) { return "an unsigned integer"; }
  static const char* expected(const std::uint32_t&) { return "an unsigned integer of 32 bits"; }
  static const char* expected(const std::uint8_t&) { return "an unsigned integer of 8 bits"; }
  static const char* expected(const EnvelopeType&) { return "an unsigned integer"; }
  static const char* expected(const Role&) { return "0 (client) or 1 (node)"; }

  /// A value that is not what its field takes: an error, but for what another major may have changed.
  [[gnu::noinline, gnu::cold]] void pass_over(const char* name, const char* expected, const Head& item) {
    if (key_ > 2 && is_foreign()) return skip_body(item, 1);
    fail_about_key(("(" + std::string(name) + ") is not what was expected: " + expected).c_str());
  }
  bool is_foreign() const noexcept { return (seen_ & kMajor) != 0 && envelope_.major != kCallProtocolMajor; }

  [[noreturn, gnu::noinline, gnu::cold]] void fail_about_key(const char* what) const {
    reader_.fail(("key " + std::to_string(key_) + " " + what).c_str());
  }

  cbor::detail::Reader reader_;
  Envelope& envelope_;
  Head map_{};
  std::uint64_t left_ = 0;  // of the map's entries
  std::uint64_t key_ = 0;   // the one whose value comes next
  std::uint64_t seen_ = 0;  // a bit for each key
};

}  // namespace detail

inline void write_envelope(cbor::ByteSink& sink, const Envelope& envelope) {
  detail::EnvelopeSize size;
  detail::visit_fields(envelope, size);
  const std::size_t start = sink.size();
  detail::EnvelopeWriter writer(sink.reserve(size.bytes) + 1);
  detail::visit_fields(envelope, writer);
  sink.advance_to(writer.position);
  cbor::detail::patch_head(sink, start, cbor::detail::kMap, writer.count);
}

inline Envelope read_envelope(Bytes& frame) {
  Envelope envelope;
  detail::EnvelopeReader reader(frame, envelope);
  reader.read();
  frame = frame.subspan(reader.size());
  return envelope;
}

}  // namespace busbar::wire
