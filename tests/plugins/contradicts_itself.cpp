// Declares what cannot be: an inline service that waits its turn, or a key in a field that its requests do not have.
#include <busbar/plugin.hpp>

namespace {

struct Town {
  std::string name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name));
  }
};

class ContradictsItself final : public busbar::Router {
 public:
  ContradictsItself() {
#ifdef STICKS_BY_NOTHING
    service("forecast", &ContradictsItself::forecast).sticky("town");
#else
    service("forecast", &ContradictsItself::forecast).limit(1).inlined();
#endif
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  int forecast(const Town&) { return 20; }
};

}  // namespace

BUSBAR_PLUGIN(ContradictsItself, FIXTURE_NAME, "1.0.0")
