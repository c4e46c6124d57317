// Services with typed requests of every kind; with TYPED_NEWER its next version, which breaks some of its callers.
#include <busbar/plugin.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#ifdef TYPED_NEWER
#define TYPED_VERSION "1.1.0"
constexpr bool kNewer = true;
#else
#define TYPED_VERSION "1.0.0"
constexpr bool kNewer = false;
#endif

namespace {

enum class Size { small, large };
BUSBAR_ENUM(Size, small, large);

struct Circle {
  double radius = 1;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(radius));
  }
};
BUSBAR_VARIANT_NAME(Circle, "circle");

struct Tree {
  std::string name;
  std::vector<Tree> children;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(children));
  }
};

struct Everything {
  bool flag = true;
  std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();
  double ratio = 0.5;
  std::string text = "it's \"quoted\" \\ ä \n";
  std::vector<std::byte> bytes = {std::byte{0}, std::byte{255}};
  std::vector<std::optional<int>> some = {1, std::nullopt};
  std::array<std::uint8_t, 2> pair = {1, 2};
  std::tuple<std::string, Size> mixed = {"a", Size::large};
  std::map<std::string, Circle> circles = {{"one", {}}};
  std::optional<std::string> absent;
  std::chrono::system_clock::time_point at;
  std::chrono::milliseconds pause{250};
  std::variant<std::monostate, Circle, std::string> shape = Circle{};
  nlohmann::json any = {{"a", 1}};
  Tree tree = {"root", {{"leaf", {}}}};
  Size size = Size::small;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(flag), CEREAL_NVP(lowest), CEREAL_NVP(highest), CEREAL_NVP(ratio), CEREAL_NVP(text));
    archive(CEREAL_NVP(bytes), CEREAL_NVP(some), CEREAL_NVP(pair), CEREAL_NVP(mixed), CEREAL_NVP(circles));
    archive(CEREAL_NVP(absent), CEREAL_NVP(at), CEREAL_NVP(pause), CEREAL_NVP(shape), CEREAL_NVP(any));
    archive(CEREAL_NVP(tree), busbar::field("size", size, Size::large));
  }
};

struct Order {
  std::string item;
  std::uint8_t count = 0;
  std::string colour;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(item), busbar::field("count", count, 1));
    if constexpr (kNewer) archive(CEREAL_NVP(colour));
  }
  void validate(busbar::Problems& problems) const {
    if (item.empty()) problems.add("item", "a name", "nothing");
    if (count == 0) problems.add("count", "1 or more", "0");
  }
};

struct Receipt {
  std::string number;
  std::int64_t price = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!kNewer) archive(CEREAL_NVP(number));
    archive(CEREAL_NVP(price));
  }
};

class Typed final : public busbar::Router {
 public:
  Typed() {
    service("typed_everything", &Typed::everything).doc("Gives back what it is given.").idempotent().dry_run_safe();
    auto& order = service("typed_order", &Typed::order).doc("Takes an order.").example(Order{"tea", 2, "green"});
    if (!kNewer) order.idempotent();
    service("typed_nothing", &Typed::nothing).doc("Takes nothing, and answers nothing.");
    service("typed_message", &Typed::message).request<Order>().response<Receipt>().example(Order{"tea", 1, "black"});
    service("typed_unsaid", &Typed::message);
    if (kNewer) {
      service("typed_added", &Typed::nothing);
    } else {
      service("typed_removed", &Typed::nothing);
    }
  }

  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  Everything everything(const Everything& request) { return request; }
  Receipt order(const Order& request) { return {"1", request.count * 3}; }
  void nothing() {}
  busbar::Response message(busbar::Message&) { return busbar::Response::ok(Receipt{"2", 3}); }
};

}  // namespace

BUSBAR_PLUGIN(Typed, "typed", TYPED_VERSION)
