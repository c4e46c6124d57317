/* Its constructor says in order that it cannot work. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  (void)host;
  return fixture_fail(error, "no licence was found");
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
