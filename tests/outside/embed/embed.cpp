// embed BUSBARD PLUGINS SCRATCH: has a host in it, calls "greet" there, and shows the answer. BUSBARD is the program
// that tries libraries out for it.
#include <busbar/message.hpp>
#include <busbar/registry/registry.hpp>

#include <atomic>
#include <daemon/host.hpp>
#include <events/events.hpp>
#include <filesystem>
#include <future>
#include <iostream>
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

busbar::host::Config config_in(const std::filesystem::path& plugins, const std::filesystem::path& scratch) {
  using busbar::host::Environment;
  return busbar::host::load_config(std::nullopt, Environment::of_this_process(),
                                   {{"node.name", "embedded", "node"},
                                    {"paths.plugins", plugins, "plugins"},
                                    {"paths.run", scratch / "run", "run"},
                                    {"paths.state", scratch / "state", "state"}});
}

/// Counts the answers that it is told of.
class Answers final : public busbar::host::Observer {
 public:
  void on_event(const busbar::host::Event& event) noexcept override {
    if (event.service == "greet" && event.duration() > 0) ++count;
  }
  std::atomic<int> count{0};
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const auto config = config_in(arguments[2], arguments[3]);
  busbar::host::Host host(config, busbar::host::Logs(config.log), arguments[1]);
  std::promise<void> ready;
  host.plugins().when_ready([&] { ready.set_value(); });
  ready.get_future().wait();

  const auto answers = std::make_shared<Answers>();
  host.events().subscribe(answers, busbar::host::mask_of(busbar::host::EventKind::service_responded));
  auto message = busbar::Message::of("greet", Greet{"embedder"});
  host.dispatcher().dispatch(message);
  if (!message.response().succeeded()) return 1;
  host.events().unsubscribe(answers);
  if (answers->count != 1) return 1;
  std::cout << message.response().value_as<Greeting>().text << "\n"
            << host.registry().list(busbar::registry::Listing::private_).size() << " private services\n";
  return host.stop().clean ? 0 : 1;
}
