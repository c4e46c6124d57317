/* Says of its requests what is no JSON. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  static const busbar_text schema = FIXTURE_TEXT("{\"type\": \"object\"");
  fixture_service.request_schema = schema;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
