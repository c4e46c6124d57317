/* Uses a function that nobody defines, as a library does that was linked without -z defs. */
#include "fixture.h"

void busbar_tests_nobody_defines_this(void);

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  busbar_tests_nobody_defines_this();
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
