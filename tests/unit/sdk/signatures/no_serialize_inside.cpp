#include <busbar/plugin.hpp>

#include <vector>

struct Request {
  int number = 0;
};

struct Plugin final : busbar::Router {
  Plugin() { service("s", &Plugin::serve); }
  void serve(const std::vector<Request>&) {}
};

BUSBAR_PLUGIN(Plugin, "plugin", "1.0.0");
