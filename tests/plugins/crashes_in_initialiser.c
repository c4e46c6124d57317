/* Dies while it is being loaded, before anybody could ask it anything. */
#include <signal.h>

#include "fixture.h"

__attribute__((constructor)) static void crash(void) { raise(SIGSEGV); }

BUSBAR_PLUGIN_ENTRY(fixture_create, FIXTURE_NAME, "1.0.0");
