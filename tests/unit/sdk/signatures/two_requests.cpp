#include <busbar/plugin.hpp>

struct Request {
  int number = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number));
  }
};

struct Plugin final : busbar::Router {
  Plugin() { service("s", &Plugin::serve); }
  int serve(const Request&, const Request&) { return 1; }
};

BUSBAR_PLUGIN(Plugin, "plugin", "1.0.0");
