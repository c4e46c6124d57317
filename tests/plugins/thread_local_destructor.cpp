// Has a thread_local object with a destructor, which keeps the library mapped while its thread lives.
#include <string>

#include "fixture.h"

static std::string& mine() {
  thread_local std::string text = "a text that is too long for being kept in place";
  return text;
}

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  return mine().empty() ? nullptr : fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
