/* Offers a service that another plugin, "good", has. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  busbar_text taken = FIXTURE_TEXT("good");
  fixture_service.name = taken;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
