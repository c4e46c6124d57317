/* The plugin "good" in its next version: what takes its place, or claims its name. */
#undef FIXTURE_NAME
#define FIXTURE_NAME "good"
#include "fixture.h"

BUSBAR_PLUGIN_ENTRY(fixture_create, FIXTURE_NAME, "2.0.0");
