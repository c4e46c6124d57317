// Networks that break between hosts, while callers are at work on three nodes.
#include <thread>

#include "system/faults/fault_test.hpp"

namespace busbar::system_tests {
namespace {

class FaultyNetwork : public FaultTest {
 protected:
  void start_hosts(int count) {
    for (int i = 0; i < count; ++i) add(std::string(1, static_cast<char>('a' + i)));
  }
};

TEST_F(FaultyNetwork, C_G8_C_D9_APartitionOfTwoAndThreeHealsByItself) {
  if (!use_network(5)) GTEST_SKIP() << network->problem();
  start_hosts(5);
  start_callers({"a", "c", "e"});
  allow_silence();
  Process call = start_endless_call("a", "e");
  network->part({0, 1}, {2, 3, 4});
  EXPECT_TRUE(eventually([&] {
    return know_each_other({"a", "b", "callers-a"}, {{"work", {"a", "b"}}}) &&
           know_each_other({"c", "d", "e", "callers-c", "callers-e"}, {{"work", {"c", "d", "e"}}});
  }));
  expect_nodedown(call);
  expect_more_calls();
  network->heal();
  expect_healed({{"work", {"a", "b", "c", "d", "e"}}});
}

TEST_F(FaultyNetwork, C_G8_APartitionThatHasLastedForLongHealsAsQuickly) {
  if (!use_network(2)) GTEST_SKIP() << network->problem();
  start_hosts(2);
  start_callers({"a", "b"});
  allow_silence();
  network->part({0}, {1});
  ASSERT_TRUE(eventually([&] { return know_each_other({"b", "callers-b"}, {{"work", {"b"}}}); }));
  std::this_thread::sleep_for(seconds(18));  // so that each dials the other as seldom as it does in minutes
  network->heal();
  expect_healed({{"work", {"a", "b"}}});
}

// What b says arrives at a, what a says does not arrive at b.
TEST_F(FaultyNetwork, C_G8_C_D9_ALossInOneDirectionIsALossAndHealsByItself) {
  if (!use_network(3)) GTEST_SKIP() << network->problem();
  start_hosts(3);
  start_callers({"a", "b", "c"});
  allow_silence();
  Process call = start_endless_call("a", "b");
  Process call_back = start_endless_call("b", "a");
  network->set(0, 1, {.cut = true});
  EXPECT_TRUE(eventually([&] {
    return know({"a", "callers-a"}, {"a", "c", "callers-a", "callers-c"}, {{"work", {"a", "c"}}}) &&
           know({"b", "callers-b"}, {"b", "c", "callers-b", "callers-c"}, {{"work", {"b", "c"}}}) &&
           know({"c", "callers-c"}, everybody(), {{"work", {"a", "b", "c"}}});
  }));
  expect_nodedown(call);
  expect_nodedown(call_back);
  expect_more_calls();
  network->heal();
  expect_healed({{"work", {"a", "b", "c"}}});
}

TEST_F(FaultyNetwork, C_G8_ADelayOf200MsAndALossOf5PercentAreBorne) {
  if (!use_network(3)) GTEST_SKIP() << network->problem();
  use_defaults();
  start_hosts(3);
  start_callers({"a", "b", "c"});
  allow_silence();
  network->set_all({.delay = milliseconds(200), .loss = 5});
  const auto lost = network->counts().lost;
  std::this_thread::sleep_for(seconds(10));  // as long as this is to last
  expect_more_calls();
  EXPECT_GT(network->counts().lost, lost);
  for (const auto& each : callers) {
    const Json told = each->latest();
    EXPECT_GT(told["succeeded"].get<double>(), 0.9 * told["answered"].get<double>()) << told;
  }
  network->heal();
  expect_healed({{"work", {"a", "b", "c"}}});
}

TEST_F(FaultyNetwork, C_G1_AllSeedsAreDownAtTheStartAndOneComesLater) {
  if (!use_network(5)) GTEST_SKIP() << network->problem();
  for (const char* name : {"a", "b", "c", "seed"}) make(name);
  const std::string seed = "tcp://" + Network::address(3) + ":7100";
  for (const char* name : {"a", "b", "c"}) {
    start(name, {"--join", "tcp://" + Network::address(4) + ":7100", "--join", seed});
  }
  start_callers({"a", "b", "c"});
  ASSERT_TRUE(know_each_other({"a", "callers-a"}, {{"work", {"a"}}}));
  std::this_thread::sleep_for(seconds(15));  // so that each dials the seeds as seldom as it does in minutes
  start("seed", {"--registry-listen", seed});
  expect_healed({{"work", {"a", "b", "c", "seed"}}});
}

}  // namespace
}  // namespace busbar::system_tests
