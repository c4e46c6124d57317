// Built without what busbar_add_plugin sets: defines unique symbols, and exports more than its entry.
#include <string>

#include "fixture.h"

struct Counter {
  static int& value() {
    static int counter = 0;
    return counter;
  }
};

template <class T>
struct Named {
  static inline std::string name = "named";
};

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  if (++Counter::value() < 0 || Named<int>::name.empty()) return nullptr;
  return fixture_create(host, error);
}

BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
