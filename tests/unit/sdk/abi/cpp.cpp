// The C boundary as a plugin in C++ may see it without the SDK, macro included.
#include <busbar/abi.h>

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  (void)host;
  (void)error;
  return nullptr;
}

BUSBAR_PLUGIN_ENTRY(create, "plain", "1.0.0");
