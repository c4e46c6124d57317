// What a plugin's settings remember of what was asked of them.
#include <busbar/plugin.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "support/fake_host.hpp"

namespace busbar {
namespace {

using ::testing::ElementsAre;
using testing::FakeHost;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OwnedRouter;

struct Common {
  std::string name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name));
  }
};

struct Inner {
  int depth = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(depth));
  }
};

struct Table : Common {
  int port = 0;
  std::optional<Inner> inner;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Common>(this), field("port", port, 80), CEREAL_NVP(inner));
  }
};

struct Other {
  bool loud = false;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(field("loud", loud, false));
  }
};

// Asks for one field where it has found another.
struct Choosing {
  bool secure = false;
  std::string key;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(secure));
    if (secure) archive(CEREAL_NVP(key));
  }
};

// Makes something of what it reads.
struct Parsed {
  int level = 0;
  template <class Archive>
  void load(Archive& archive) {
    std::string text;
    archive(cereal::make_nvp("level", text));
    level = std::stoi(text);
  }
  template <class Archive>
  void save(Archive& archive) const {
    archive(cereal::make_nvp("level", std::to_string(level)));
  }
};

std::function<void(const Payload&)> on_start;

struct Starting final : Router {
  Starting() { service("s", &Starting::s); }
  void s() {}
  void start(const Payload& config) override { on_start(config); }
};

/// What is logged at the start of a plugin that reads these settings so; and whether it has started.
std::vector<std::string> told(const nlohmann::json& table, std::function<void(const Payload&)> read,
                              busbar_status expected = BUSBAR_DONE) {
  FakeHost host;
  on_start = std::move(read);
  const OwnedRouter router(host.create<Starting>());
  const Payload config = Payload::from_json(table);
  busbar_error error{};
  EXPECT_EQ(router->start(router->self, {config.bytes().data(), config.bytes().size()}, &error), expected);
  return host.lines;
}

TEST(Settings, ThatAreAllAskedForAreNotWorthAWord) {
  const nlohmann::json table = {{"name", "x"}, {"port", 1}, {"inner", {{"depth", 2}}}};
  EXPECT_THAT(told(table, [](const Payload& config) { config.as<Table>(); }), IsEmpty());
  EXPECT_THAT(told(nlohmann::json::object(), [](const Payload& config) { config.as<Other>(); }), IsEmpty());
}

TEST(Settings, AKeyThatNoFieldHasIsToldWithThoseThatThereAre) {
  EXPECT_THAT(told({{"name", "x"}, {"prot", 1}}, [](const Payload& config) { config.as<Table>(); }),
              ElementsAre("3 unknown key \"prot\" in the plugin's settings, expected one of \"name\", \"port\", "
                          "\"inner\""));
}

TEST(Settings, AKeyIsToldAlsoWhereTheStartHasFailed) {
  const auto lines = told(
      {{"nmae", "x"}}, [](const Payload& config) { config.as<Table>(); }, BUSBAR_FAILED);
  EXPECT_THAT(lines, ElementsAre(HasSubstr("unknown key \"nmae\"")));
}

TEST(Settings, MayBeReadIntoSeveralClasses) {
  const nlohmann::json table = {{"name", "x"}, {"loud", true}, {"lout", true}};
  const auto both = [](const Payload& config) {
    config.as<Table>();
    config.as<Other>();
  };
  EXPECT_THAT(told(table, both), ElementsAre(HasSubstr("\"lout\"")));
}

TEST(Settings, WhereMoreThanTheFieldsOfClassesIsLookedAtNothingIsTold) {
  const nlohmann::json table = {{"name", "x"}, {"any", 1}};
  const std::vector<std::function<void(const Payload&)>> ways = {
      [](const Payload& config) { config.as<Table>(), config.to_json(); },
      [](const Payload& config) { config.as<Table>(), config.as<std::map<std::string, Payload>>(); },
      [](const Payload& config) { config.as<Table>(), config.as<nlohmann::json>(); },
      [](const Payload&) {},
      [](const Payload& config) { const Payload kept(config); },
  };
  for (const auto& way : ways) EXPECT_THAT(told(table, way), IsEmpty());
}

TEST(Settings, AFieldThatIsAskedForWhereAnotherSaysSoIsKnown) {
  EXPECT_THAT(told({{"secure", true}, {"key", "k"}}, [](const Payload& config) { config.as<Choosing>(); }), IsEmpty());
  EXPECT_THAT(told({{"secure", false}, {"key", "k"}}, [](const Payload& config) { config.as<Choosing>(); }),
              ElementsAre(HasSubstr("\"key\"")));
}

TEST(Settings, AClassThatCannotBeAskedForItsFieldsIsLeftAlone) {
  int level = 0;
  EXPECT_THAT(told({{"level", "3"}, {"x", 1}}, [&](const Payload& config) { level = config.as<Parsed>().level; }),
              IsEmpty());
  EXPECT_EQ(level, 3) << "and nothing happens to what was read";
}

}  // namespace
}  // namespace busbar
