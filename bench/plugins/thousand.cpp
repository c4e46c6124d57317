// A thousand services, for what costs by the service.
#include <busbar/plugin.hpp>

#include <string>

#include "sample.hpp"

namespace {

class Thousand final : public busbar::Router {
 public:
  Thousand() {
    for (int i = 0; i < 1'000; ++i) service("service_" + std::to_string(i), &Thousand::answer);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  bench::Sample answer(bench::Sample request) { return request; }
};

}  // namespace

BUSBAR_PLUGIN(Thousand, "thousand", "1.0.0")
