/* Says how many calls may wait, but not for how many that run. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_router.max_queued = 10;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
