#include "admin/admin_verbs.hpp"

// Any bytes as a request on the admin socket: a checked request, or a refusal in words.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    busbar::host::read_request({data, size});
  } catch (const busbar::host::BadRequest&) {
  }
  return 0;
}
