// Gives an example that its own service would refuse.
#include <busbar/plugin.hpp>

#include <string>

namespace {

struct Order {
  std::string item;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(item));
  }
  void validate(busbar::Problems& problems) const {
    if (item.empty()) problems.add("item", "a name");
  }
};

class ExampleUnfit final : public busbar::Router {
 public:
  ExampleUnfit() { service("orders", &ExampleUnfit::orders).example(Order{}); }

 private:
  void orders(const Order&) {}
};

}  // namespace

BUSBAR_PLUGIN(ExampleUnfit, FIXTURE_NAME, "1.0.0")
