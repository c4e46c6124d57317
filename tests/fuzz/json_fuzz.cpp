#include <busbar/cbor/to_json_text.hpp>
#include <busbar/payload.hpp>

#include <cstdlib>
#include <string_view>
#include <vector>

// Any text as JSON from the command line: refused in words, or a payload that can be shown, and shown it is the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> payload;
  try {
    payload = busbar::cbor::from_json_text({reinterpret_cast<const char*>(data), size});
  } catch (const std::exception&) {
    return 0;
  }
  // Not in there: what was taken for JSON must go on.
  busbar::cbor::check_well_formed(payload);
  const nlohmann::json json = busbar::cbor::to_json(payload);
  if (busbar::cbor::to_json(busbar::cbor::from_json_text(json.dump())) != json) std::abort();
  if (busbar::cbor::from_json_text(busbar::cbor::to_json_text(payload)) != payload) std::abort();
  return 0;
}
