/* A shared library with the entry function, but without the note that makes it a plugin. */
#include "fixture.h"

__attribute__((visibility("default"))) const busbar_plugin* busbar_plugin_entry(void) {
  static const busbar_plugin plugin = {sizeof(busbar_plugin), 0, NULL, fixture_create};
  return &plugin;
}
