// Serves, but says that it cannot do its work while the file that its configuration names exists.
#include <busbar/plugin.hpp>

#include <filesystem>
#include <string>

struct Settings {
  std::string sick_while;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(sick_while));
  }
};

class Unhealthy final : public busbar::Router {
 public:
  Unhealthy() { service("unhealthy", &Unhealthy::work); }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }
  void start(const busbar::Payload& config) override { sick_while_ = config.as<Settings>().sick_while; }
  busbar::Health healthy() override {
    return std::filesystem::exists(sick_while_) ? busbar::Health::bad("the database is gone") : busbar::Health::good();
  }

 private:
  void work() {}
  std::string sick_while_;
};

BUSBAR_PLUGIN(Unhealthy, FIXTURE_NAME, "1.0.0")
