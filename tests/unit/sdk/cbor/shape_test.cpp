// Types that are checked before they serve.
#include <map>
#include <memory>
#include <stdexcept>
#include <variant>

#include "unit/sdk/cbor/support.hpp"

namespace shapes {

struct Nameless {
  int value = 0;
  template <class A>
  void serialize(A& ar) {
    ar(value);
  }
};
BUSBAR_VARIANT_NAME(Nameless, "nameless");

template <class Member>
struct Holder {
  Member member{};
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(member));
  }
};

struct Twice {
  int a = 0, b = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(a), cereal::make_nvp("a", b));
  }
};

struct NamelessWhenSaved {
  int value = 0;
  template <class A>
  void save(A& ar) const {
    ar(value);
  }
  template <class A>
  void load(A& ar) {
    ar(CEREAL_NVP(value));
  }
};

struct NamelessBase : Nameless {
  template <class A>
  void serialize(A& ar) {
    ar(cereal::base_class<Nameless>(this));
  }
};

struct Tree {
  std::vector<Tree> children;
  std::unique_ptr<Tree> parent;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(children), CEREAL_NVP(parent));
  }
};

struct Picky {
  int value = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(value));
    if (value == 0) throw std::invalid_argument("value must not be 0");
  }
};

}  // namespace shapes

namespace busbar {
namespace {

using namespace busbar::testing;
using namespace shapes;
using ::testing::AllOf;
using ::testing::HasSubstr;

template <class T>
std::string complaint() {
  return message_of<std::logic_error>([] { cbor::check_shape<T>(); });
}

TEST(CborShape, OfAGoodTypeIsGood) {
  EXPECT_NO_THROW(cbor::check_shape<int>());
  EXPECT_NO_THROW(cbor::check_shape<Tree>());
  EXPECT_NO_THROW((cbor::check_shape<std::variant<int, std::string>>()));
  EXPECT_NO_THROW((cbor::check_shape<Holder<std::map<std::string, std::tuple<int, Holder<nlohmann::json>>>>>()));
}

TEST(CborShape, NamesTheTypeThatLeavesAFieldUnnamed) {
  EXPECT_THAT(complaint<Nameless>(), AllOf(HasSubstr("\"shapes::Nameless\""), HasSubstr("of type \"int\"")));
}

TEST(CborShape, LooksIntoEverythingThatHoldsTypes) {
  EXPECT_THAT(complaint<Holder<Nameless>>(), HasSubstr("\"shapes::Nameless\""));
  EXPECT_THAT(complaint<std::vector<Nameless>>(), HasSubstr("\"shapes::Nameless\""));
  EXPECT_THAT(complaint<Holder<std::optional<Nameless>>>(), HasSubstr("\"shapes::Nameless\""));
  EXPECT_THAT((complaint<std::map<std::string, Nameless>>()), HasSubstr("\"shapes::Nameless\""));
  EXPECT_THAT((complaint<std::pair<int, Nameless>>()), HasSubstr("\"shapes::Nameless\""));
  EXPECT_THAT((complaint<std::array<Nameless, 2>>()), HasSubstr("\"shapes::Nameless\""));
  EXPECT_THAT((complaint<std::variant<int, Nameless>>()), HasSubstr("\"shapes::Nameless\""));
  EXPECT_THAT(complaint<NamelessBase>(), HasSubstr("\"shapes::NamelessBase\""));
}

TEST(CborShape, LooksAtSavingToo) { EXPECT_THAT(complaint<NamelessWhenSaved>(), HasSubstr("NamelessWhenSaved")); }

TEST(CborShape, HasEachNameOnce) { EXPECT_THAT(complaint<Twice>(), HasSubstr("it names field \"a\" twice")); }

TEST(CborShape, DoesNotMindAClassThatRefusesValues) { EXPECT_NO_THROW(cbor::check_shape<Picky>()); }

}  // namespace
}  // namespace busbar
