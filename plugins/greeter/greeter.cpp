// The smallest useful plugin in C++: one service with a typed request and answer.
#include <busbar/plugin.hpp>

#include <string>

namespace {

struct Greet {
  std::string name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name));
  }
};

struct Greeting {
  std::string text;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(text));
  }
};

class Greeter final : public busbar::Router {
 public:
  Greeter() {
    service("greet", &Greeter::greet).doc("Greets somebody by name.").dry_run_safe().example(Greet{"world"});
  }

  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  Greeting greet(const Greet& request) { return {"Hello, " + request.name + "!"}; }
};

}  // namespace

BUSBAR_PLUGIN(Greeter, "greeter", "1.0.0")
