#include <busbar/wire/admin.hpp>

#include "admin/admin_verbs.hpp"

// Any bytes as a frame of the admin socket: as a request, which is checked or refused in words; and as an answer, which
// comes from other nodes, too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace busbar;
  try {
    host::read_request({data, size});
  } catch (const host::BadRequest&) {
  }
  try {
    const auto answer = cbor::decode<wire::AdminAnswer>({data, size});
    if (answer.reply) wire::to_wire(wire::from_wire(answer.reply->response));
    if (answer.document) cbor::to_json(*answer.document);
  } catch (const std::exception&) {
  }
  return 0;
}
