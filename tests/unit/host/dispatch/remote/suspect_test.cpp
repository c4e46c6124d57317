// Nodes of which nothing was heard for a while: others are asked first, and what is under way there goes on.
#include <set>

#include "remote.hpp"

namespace busbar::testing {
namespace {

using host::CallerIs;
using host::DispatchOptions;

DispatchOptions prefers(Strategy strategy, std::string_view key = {}) {
  return {600'000, {}, CallerIs::here, {strategy, key}};
}

class Suspects : public RemoteTest {
 protected:
  Suspects() {
    for (const char* node : {"b", "c", "d"}) net.add(node, answering("s", node));
  }
  void suspect(const std::string& node, bool is_suspect = true) {
    net.link("a", node).peer()->set_suspected(is_suspect);
  }
  std::set<std::string> asked(const std::function<DispatchOptions(int)>& options) {
    std::set<std::string> found;
    for (int i = 0; i < 60; ++i) {
      found.insert(call(net["a"], Message("s"), options(i)).response().value_as<std::string>());
    }
    return found;
  }
  std::set<std::string> asked(Strategy strategy = Strategy::standard) {
    return asked([&](int) { return prefers(strategy); });
  }

  LinkedHubs net{{"a", "b", "c", "d"}};
};
BUSBAR_BOTH_FORMS(Suspects);

TEST_P(Suspects, C_D3_OthersAreAskedFirst) {
  suspect("c");
  EXPECT_EQ(asked(Strategy::random), (std::set<std::string>{"b", "d"}));
  EXPECT_EQ(asked(Strategy::least_pending), (std::set<std::string>{"b", "d"}));
  suspect("c", false);
  EXPECT_EQ(asked(Strategy::random), (std::set<std::string>{"b", "c", "d"})) << "it was heard again";
}

TEST_P(Suspects, C_D3_TheKeysOfASuspectMoveAndComeBack) {
  const auto by_key = [&](const std::string& key) {
    return asked([&](int) { return prefers(Strategy::sticky, key); });
  };
  for (int i = 0; i < 10; ++i) {
    const std::string key = "town " + std::to_string(i);
    const std::set<std::string> home = by_key(key);
    ASSERT_EQ(home.size(), 1u);
    suspect("c");
    const std::set<std::string> meanwhile = by_key(key);
    EXPECT_EQ(meanwhile.count("c"), 0u);
    EXPECT_TRUE(home.count("c") == 1 || meanwhile == home) << "only its own keys move";
    suspect("c", false);
    EXPECT_EQ(by_key(key), home);
  }
}

TEST_P(Suspects, C_D3_OneIsAskedWhereNobodyElseIsLeft) {
  for (const char* node : {"b", "c", "d"}) suspect(node);
  EXPECT_EQ(asked(), (std::set<std::string>{"b", "c", "d"}));
  suspect("b", false);
  net.link("a", "b").cut();
  EXPECT_EQ(asked(), (std::set<std::string>{"c", "d"}));
}

TEST_P(Suspects, C_D4_OneIsAskedWhereTheOthersRefuse) {
  LinkedHubs others({"a", "b", "c"});
  others.add("b", refusing("t", "busy"));
  others.add("c", answering("t", "c"));
  others.link("a", "c").peer()->set_suspected(true);
  EXPECT_EQ(call(others["a"], "t").response().value_as<std::string>(), "c");
}

}  // namespace
}  // namespace busbar::testing
