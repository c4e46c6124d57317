// Its constructor lets an exception escape, which the boundary forbids.
#include <stdexcept>

#include "fixture.h"

static const busbar_router* create(const busbar_host*, busbar_error*) { throw std::runtime_error("the lid is off"); }

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
