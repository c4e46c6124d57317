/* Tests make two hundred plugins of it, by the digits of its name. */
#undef FIXTURE_NAME
#define FIXTURE_NAME "numbered_000"
#include "fixture.h"

BUSBAR_PLUGIN_ENTRY(fixture_create, FIXTURE_NAME, "1.0.0");
