// A service of which so many calls run, which calls others, one through the next; its name and its limit are the
// build's to say.
#include <busbar/plugin.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Way {
  std::vector<std::string> through;  // services of this kind, in their order
  std::string until;                 // waits for that file first
  template <class Archive>
  void serialize(Archive& archive) {
    archive(busbar::field("through", through, {}), busbar::field("until", until, std::string()));
  }
};

class Ring final : public busbar::Router {
 public:
  Ring() { service(RING_SERVICE, &Ring::go).limit(RING_LIMIT); }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  // "end", or what the call was answered that did not get there.
  nlohmann::json go(const Way& way, busbar::Context& context) {
    while (!way.until.empty() && !std::filesystem::exists(way.until)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (way.through.empty()) return "end";
    const Way rest{{way.through.begin() + 1, way.through.end()}, {}};
    // For as long as this call itself has time.
    const busbar::Response answer = context.call(way.through.front(), rest, std::chrono::hours(24)).response();
    if (answer.succeeded()) return answer.value_as<nlohmann::json>();
    nlohmann::json failed{{"code", answer.error_code()}, {"text", answer.text()}};
    if (!answer.value().empty()) failed["value"] = answer.value().to_json();
    return failed;
  }
};

}  // namespace

BUSBAR_PLUGIN(Ring, FIXTURE_NAME, "1.0.0")
