// Needs a library that is built in two versions of one soname.
#include <busbar/plugin.hpp>

extern "C" int helper_version();

class Helped final : public busbar::Router {
 public:
  Helped() { service("helped", &Helped::version); }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  int version() { return helper_version(); }
};

BUSBAR_PLUGIN(Helped, "helped", HELPED_VERSION)
