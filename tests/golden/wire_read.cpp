#include <busbar/payload.hpp>
#include <busbar/wire/admin.hpp>
#include <busbar/wire/envelope.hpp>
#include <stdexcept>
#include <type_traits>

#include "golden/wire.hpp"
#include "wire/message.hpp"

namespace busbar::golden {

namespace {

/// A payload as JSON, beside its bytes where these are none.
json shown(wire::Bytes bytes) {
  try {
    return cbor::to_json(bytes);
  } catch (const std::exception&) {
    return {{"no_payload", Octets(bytes.begin(), bytes.end())}};
  }
}

/// Each field of an envelope that says anything.
struct Fields {
  json out = json::object();

  void operator()(unsigned, const char* name, wire::Bytes field) {
    if (!field.empty()) out[name] = shown(field);
  }
  void operator()(unsigned, const char* name, wire::Bytes field, bool present) {
    if (present) out[name] = field.empty() ? json() : shown(field);
  }
  void operator()(unsigned, const char* name, std::int64_t field, bool present) {
    if (present) out[name] = field;
  }
  template <class T>
  void operator()(unsigned, const char* name, const T& field) {
    if (field == T{}) return;
    if constexpr (std::is_enum_v<T>) {
      out[name] = static_cast<unsigned>(field);
    } else {
      out[name] = field;
    }
  }
};

wire::Envelope read_envelope(std::span<const std::uint8_t> bytes) {
  const wire::Envelope envelope = wire::read_envelope(bytes);
  if (!bytes.empty()) throw std::runtime_error("there is more behind the envelope");
  return envelope;
}

std::span<const std::uint8_t> body_of(std::span<const std::uint8_t> frame) {
  if (frame.size() < wire::kFrameHead || wire::announced_length(frame.data()) != frame.size() - wire::kFrameHead) {
    throw std::runtime_error("the frame's length is not what it announces");
  }
  return frame.subspan(wire::kFrameHead);
}

template <class T>
Octets frame_again(std::span<const std::uint8_t> frame) {
  const std::span<const std::uint8_t> body = body_of(frame);
  return wire::frame_of(Payload::own(Octets(body.begin(), body.end())).as<T>());
}

}  // namespace

json meaning_of(std::string_view plane, std::span<const std::uint8_t> bytes) {
  if (plane == "call") {
    Fields fields;
    const wire::Envelope envelope = read_envelope(bytes);
    wire::detail::visit_fields(envelope, fields);
    return fields.out;
  }
  // These travel by the names of their fields: what is written again says what was understood.
  const Octets again = written_again(plane, bytes);
  return cbor::to_json(plane == "registry" ? again : body_of(again));
}

Octets written_again(std::string_view plane, std::span<const std::uint8_t> bytes) {
  if (plane == "call") {
    cbor::ByteSink sink;
    wire::write_envelope(sink, read_envelope(bytes));
    return sink.take();
  }
  if (plane == "registry") return registry::wire::encode(registry::wire::decode(bytes));
  if (plane == "admin_request") return frame_again<wire::AdminRequest>(bytes);
  if (plane == "admin_answer") return frame_again<wire::AdminAnswer>(bytes);
  throw std::runtime_error("there is no protocol \"" + std::string(plane) + "\"");
}

}  // namespace busbar::golden
