/* Linked to a library that is nowhere where the system's loader looks. */
#include "fixture.h"

int busbar_tests_of_absent_library(void);

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  return busbar_tests_of_absent_library() == 1 ? fixture_create(host, error) : NULL;
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
