/* Offers one service under one name twice. */
#include "fixture.h"

static const busbar_service* const twice[] = {&fixture_service, &fixture_service};

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_router.services = twice;
  fixture_router.service_count = 2;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
