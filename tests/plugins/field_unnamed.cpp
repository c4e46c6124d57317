// A request whose `serialize` forgets to name a field.
#include <busbar/plugin.hpp>

#include <string>

struct Forgetful {
  std::string name;
  int amount = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), amount);
  }
};

class Unnamed final : public busbar::Router {
 public:
  Unnamed() { service("field_unnamed", &Unnamed::take); }

 private:
  void take(const Forgetful&) {}
};

BUSBAR_PLUGIN(Unnamed, FIXTURE_NAME, "1.0.0")
