/* Its router's struct is smaller than that of the first ABI. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_router.struct_size = 16;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
