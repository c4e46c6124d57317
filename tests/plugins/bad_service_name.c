/* Offers a service whose name breaks the rule. */
#include "fixture.h"

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  static const busbar_text name = FIXTURE_TEXT("Bad-Name");
  fixture_service.name = name;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
