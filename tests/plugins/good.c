/* Nothing is wrong with it: what the others are compared with, and what tests damage byte by byte. */
#include "fixture.h"

BUSBAR_PLUGIN_ENTRY(fixture_create, FIXTURE_NAME, "1.0.0");
