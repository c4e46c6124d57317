// A router whose constructor throws.
#include <busbar/plugin.hpp>

#include <stdexcept>

class Thrower final : public busbar::Router {
 public:
  Thrower() { throw std::runtime_error("no room for a router"); }
};

BUSBAR_PLUGIN(Thrower, FIXTURE_NAME, "1.0.0")
