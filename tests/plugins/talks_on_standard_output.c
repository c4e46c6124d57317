/* Nothing is wrong but its manners: it writes what looks like a trial's report to standard output, and much of it. */
#include <stdio.h>

#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  for (int i = 0; i < 10000; ++i) printf("{\"refused\": \"not me\"}\n");
  fflush(stdout);
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
