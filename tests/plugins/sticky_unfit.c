/* Picks its provider by a field that its requests do not have. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_service.request_schema =
      (busbar_text)FIXTURE_TEXT("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}}}");
  fixture_service.strategy = BUSBAR_STRATEGY_STICKY;
  fixture_service.sticky_field = (busbar_text)FIXTURE_TEXT("town");
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
