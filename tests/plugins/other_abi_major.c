/* Built for a plugin ABI that no host of today accepts. */
#define BUSBAR_PLUGIN_ABI_OF_THE_FUTURE 3
#include "fixture.h"
#undef BUSBAR_ABI_MAJOR
#define BUSBAR_ABI_MAJOR BUSBAR_PLUGIN_ABI_OF_THE_FUTURE

BUSBAR_PLUGIN_ENTRY(fixture_create, FIXTURE_NAME, "1.0.0");
