// What a debugger looks into: a handler with a line and a variable to stop at. Its build keeps both.
#include <busbar/plugin.hpp>

#include <cstdint>

namespace {

class Debugged final : public busbar::Router {
 public:
  Debugged() { service("doubled", &Debugged::doubled); }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  std::int64_t doubled(std::int64_t number) {
    const std::int64_t twice = 2 * number;
    return twice;  // the debugger stops here
  }
};

}  // namespace

BUSBAR_PLUGIN(Debugged, "debugged", "1.0.0")
