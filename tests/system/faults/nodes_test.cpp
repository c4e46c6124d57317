// Hosts that die, stand still, or come back as something else, while callers are at work on three nodes.
#include <signal.h>

#include "system/faults/fault_test.hpp"

namespace busbar::system_tests {
namespace {

class FaultyNode : public FaultTest {
 protected:
  void start_three() {
    for (const char* name : {"a", "b", "c"}) add(name);
    start_callers({"a", "b", "c"});
  }
};

TEST_F(FaultyNode, C_D9_C_G4_AProviderThatIsKilledCostsWhatItHadUnderWayAndComesBack) {
  start_three();
  allow("badrpc nodedown");
  cluster.kill("b");
  expect_healed({{"work", {"a", "c"}}});
  start("b");
  expect_healed({{"work", {"a", "b", "c"}}});
}

TEST_F(FaultyNode, C_D9_C_G4_AProviderThatIsStoppedIsGivenUpAndBackWhenItWakes) {
  start_three();
  allow_silence();
  Process call = start_endless_call("a", "b");
  cluster["b"].process().freeze();
  EXPECT_TRUE(eventually([&] {
    return know_each_other({"a", "c", "callers-a", "callers-b", "callers-c"}, {{"work", {"a", "c"}}});
  }));
  expect_nodedown(call);
  expect_more_calls();
  cluster["b"].process().signal(SIGCONT);
  expect_healed({{"work", {"a", "b", "c"}}});
}

TEST_F(FaultyNode, C_G7_AProviderThatIsRestartedAtOnceWithOtherServicesIsTheNewOneAtOnce) {
  start_three();
  allow("badrpc nodedown");
  std::filesystem::remove(cluster["b"].plugins() / "worker.so");
  cluster["b"].add("other_worker");
  cluster.kill("b");
  start("b");
  expect_healed({{"work", {"a", "c"}}, {"other_work", {"b"}}});
}

TEST_F(FaultyNode, C_D9_C_G4_HalfOfTenAreKilledAtOnce) {
  use_defaults();
  const Names all = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  for (const auto& name : all) add(name);
  start_callers({"a", "b", "c"});
  allow("badrpc nodedown");
  for (const char* name : {"f", "g", "h", "i", "j"}) cluster[name].process().signal(SIGKILL);
  for (const char* name : {"f", "g", "h", "i", "j"}) cluster.kill(name);  // takes them off
  expect_healed({{"work", {"a", "b", "c", "d", "e"}}});
}

}  // namespace
}  // namespace busbar::system_tests
