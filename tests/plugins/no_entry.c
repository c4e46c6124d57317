/* The note is there, but the entry function has another name. */
#include "fixture.h"

#define busbar_plugin_entry busbar_plugin_entry_misspelt

BUSBAR_PLUGIN_ENTRY(fixture_create, FIXTURE_NAME, "1.0.0");
