/* Comes up, but would take its host down when it is unloaded. */
#include <signal.h>

#include "fixture.h"

static void destroy(void* self) {
  (void)self;
  raise(SIGBUS);
}

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_router.destroy = destroy;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
