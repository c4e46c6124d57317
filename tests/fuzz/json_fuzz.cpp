#include <busbar/payload.hpp>

#include <string_view>

// Any text as JSON from the command line: refused in words, or a payload that can be shown again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> payload;
  try {
    payload = busbar::cbor::from_json_text({reinterpret_cast<const char*>(data), size});
  } catch (const std::exception&) {
    return 0;
  }
  busbar::cbor::check_well_formed(payload);
  busbar::cbor::to_json(payload);
  return 0;
}
