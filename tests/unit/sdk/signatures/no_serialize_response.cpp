#include <busbar/plugin.hpp>

struct Request {
  int number = 0;
};

struct Plugin final : busbar::Router {
  Plugin() { service("s", &Plugin::serve); }
  Request serve() { return {}; }
};

BUSBAR_PLUGIN(Plugin, "plugin", "1.0.0");
