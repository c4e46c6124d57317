/* Its constructor never returns, and a process that it has started holds its output open. */
#include <unistd.h>

#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  (void)host, (void)error;
  fork();
  for (;;) pause();
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
