/* Its name breaks the rule for plugins. */
#include "fixture.h"

BUSBAR_PLUGIN_ENTRY(fixture_create, "no/name", "1.0.0");
