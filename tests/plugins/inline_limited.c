/* Has calls wait for a service that runs on its callers' threads. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_service.flags |= BUSBAR_SERVICE_INLINE;
  fixture_service.max_running = 4;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
