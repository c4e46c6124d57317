#include <busbar/wire/admin.hpp>

#include "admin/admin_verbs.hpp"
#include "dispatch/circle.hpp"

// Any bytes as a frame of the admin socket: as a request, which is checked or refused in words; and as an answer, which
// comes from other nodes, too, and as what these tell of calls that wait.
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
  try {
    const auto view = cbor::decode<host::WaitsView>({data, size});
    host::WaitGraph graph;
    if (!graph.add("n", view)) return 0;
    for (const host::WaitView& wait : view.waits) {
      if (wait.sent) graph.add(*wait.sent, view);
    }
    for (const host::WaitView& wait : view.waits) host::in_words(graph.circle_through({"n", wait.number}));
  } catch (const std::exception&) {
  }
  return 0;
}
