/* Takes of the small store of static thread-local memory. */
#include "fixture.h"

__thread volatile char fixture_memory[200] __attribute__((tls_model("initial-exec")));

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_memory[0] = 1;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
