/* Its constructor aborts, and says something before. */
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  (void)host, (void)error;
  fprintf(stderr, "the tank is empty\n");
  abort();
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
