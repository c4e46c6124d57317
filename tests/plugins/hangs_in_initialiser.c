/* Its loading never ends. */
#include <unistd.h>

#include "fixture.h"

__attribute__((constructor)) static void hang(void) {
  for (;;) pause();
}

BUSBAR_PLUGIN_ENTRY(fixture_create, FIXTURE_NAME, "1.0.0");
