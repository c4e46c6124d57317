#include <busbar/wire/envelope.hpp>

// Any bytes as a frame of the call plane: envelopes or an error, and what was read must survive being written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace busbar;
  wire::Bytes frame(data, size);
  try {
    while (!frame.empty()) {
      const wire::Envelope envelope = wire::read_envelope(frame);
      cbor::ByteSink first;
      wire::write_envelope(first, envelope);
      wire::Bytes again = first.bytes();
      cbor::ByteSink second;
      wire::write_envelope(second, wire::read_envelope(again));
      const auto one = first.bytes();
      const auto other = second.bytes();
      if (!again.empty() || !std::equal(one.begin(), one.end(), other.begin(), other.end())) __builtin_trap();
    }
  } catch (const MalformedPayload&) {
  }
  return 0;
}
