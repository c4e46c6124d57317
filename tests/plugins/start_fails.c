/* Its trial passes; only the host itself calls `start`, which says that it cannot. */
#include "fixture.h"

static busbar_status start(void* self, busbar_bytes config, busbar_error* error) {
  (void)self, (void)config;
  fixture_fail(error, "the door is locked");
  return BUSBAR_FAILED;
}

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_router.start = start;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
