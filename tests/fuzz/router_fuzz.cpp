// Anything that a plugin's `create` may return as its router: refused in words, or taken, and then told as it is.
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "fuzz/abi/odd_structs.hpp"
#include "fuzz/choices.hpp"
#include "plugins/file/compare.hpp"
#include "plugins/file/router_check.hpp"
#include "support/hub.hpp"

namespace busbar::fuzz {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"a", "b", "c1", "Not a name"};
constexpr std::array<std::string_view, 7> kTexts = {
    "{}",
    "1",
    R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]})",
    R"({"$ref":"#/$defs/x","$defs":{"x":{"type":"array","items":{"$ref":"#/$defs/x"}}}})",
    R"({"oneOf":[{"type":"object","properties":{"type":{"const":"a"},"value":{"type":"string"}}}]})",
    R"({"type":["string","null"],"enum":["a","b",null]})",
    R"({"type":"array","prefixItems":[{"type":"number","minimum":-1}],"items":false})"};

/// A router, and what it points to. Ownership: borrows nothing.
class OddRouter {
 public:
  explicit OddRouter(Choices& choices) {
    const unsigned odd = choices.byte();
    for (unsigned count = choices.below(5); count != 0; --count) services_.push_back(service(choices));
    busbar_router router{};
    router.service_count = (odd & 1) != 0 ? 4097 : static_cast<std::uint32_t>(services_.size());
    router.services = (odd & 2) != 0 ? nullptr : services_.data();
    router.self = this;
    if ((odd & 4) == 0) router.handle = [](auto...) { return std::uint32_t{0}; };
    if ((odd & 8) == 0) router.destroy = [](void*) {};
    if ((odd & 16) != 0) router.max_running = choices.number<std::uint32_t>();
    if ((odd & 32) != 0) router.max_queued = choices.number<std::uint32_t>();
    router_ = odd_.put(router, (odd & 64) != 0 ? size_of(choices, sizeof router) : sizeof router);
  }

  /// Nothing: it was refused.
  std::optional<host::RouterFacts> facts() const {
    try {
      return host::read_facts(host::read_router(*router_));
    } catch (const host::PluginError&) {
      return std::nullopt;
    }
  }
  const busbar_router& c_router() const noexcept { return *router_; }

 private:
  static std::size_t size_of(Choices& choices, std::size_t right) noexcept {
    return choices.flip() ? right + choices.byte() : choices.byte();
  }
  busbar_text text(Choices& choices) {
    switch (choices.below(4)) {
      case 0:
        return odd_.text(choices);
      case 1:
        return odd_.text_of(choices.some());
      default:
        return odd_.text(choices.one_of(kTexts));
    }
  }
  const busbar_service* service(Choices& choices) {
    busbar_service service{};
    service.name = odd_.text(choices.one_of(kNames));
    const unsigned odd = choices.byte();
    const unsigned more = choices.byte();
    if ((odd & 1) != 0) service.flags = choices.byte();
    if ((odd & 2) != 0) service.doc = text(choices);
    if ((odd & 4) != 0) service.timeout_ms = choices.number<std::uint32_t>();
    if ((odd & 8) != 0) service.request_schema = text(choices);
    if ((odd & 16) != 0) service.response_schema = text(choices);
    if ((odd & 32) != 0) service.example = text(choices);
    if ((odd & 64) != 0) service.example_assigns = text(choices);
    if ((more & 1) != 0) service.strategy = choices.number<std::uint32_t>();
    if ((more & 2) != 0) service.sticky_field = text(choices);
    if ((more & 4) != 0) service.max_running = choices.number<std::uint32_t>();
    if ((more & 8) != 0) service.max_queued = choices.number<std::uint32_t>();
    if ((more & 16) != 0) service.name = odd_.text(choices);
    if ((more & 32) != 0 && choices.below(4) == 1) return nullptr;
    return odd_.put(service, (more & 64) != 0 ? size_of(choices, sizeof service) : sizeof service);
  }

  OddStructs odd_;
  std::vector<const busbar_service*> services_;
  const busbar_router* router_ = nullptr;
};

/// What the manifest says, and what lookups find, is what the router has said.
void check(const OddRouter& router, const host::RouterFacts& facts) {
  const auto manifest = nlohmann::json::parse(host::to_json(facts).dump());
  if (host::router_from_json(manifest) != facts) std::abort();
  static testing::Hub hub;
  const auto instance =
      std::make_shared<host::Instance>(host::InstanceFacts{"odd", "1.0", 1}, hub.dispatcher(), host::Logger());
  instance->adopt(host::read_router(router.c_router()));
  std::vector<std::shared_ptr<registry::LocalProvider>> services;
  for (auto& endpoint : instance->endpoints()) services.emplace_back(instance, &endpoint);
  if (hub.registry().register_router("odd", std::move(services))) std::abort();
  for (const host::ServiceFacts& service : facts.services) {
    if (hub.dispatcher().discover_service(Message(service.name)).size() != 1) std::abort();
  }
  hub.registry().withdraw_router("odd");
}

}  // namespace
}  // namespace busbar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace busbar::fuzz;
  Choices choices({data, size});
  const OddRouter older(choices), newer(choices);
  const auto old_facts = older.facts(), new_facts = newer.facts();
  if (old_facts) check(older, *old_facts);
  if (!old_facts || !new_facts) return 0;
  if (!busbar::host::compare_routers(*old_facts, *old_facts).empty()) std::abort();
  busbar::host::compare_routers(*old_facts, *new_facts);
  return 0;
}
