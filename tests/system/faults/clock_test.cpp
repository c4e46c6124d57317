// A node whose clock is set back a day: nothing that is timed may notice, and its next start is still a later one.
#include "system/faults/fault_test.hpp"

namespace busbar::system_tests {
namespace {

class FaultyClock : public FaultTest {
 protected:
  void SetUp() override {
#ifdef BUSBAR_FAKETIME
    if (under_any_sanitizer()) GTEST_SKIP() << "a sanitizer's library must be loaded first, and so must libfaketime's";
#else
    GTEST_SKIP() << "libfaketime was not there when this was built";
#endif
  }
  /// The host's clock is told by a file, from its next start on.
  void fake_the_clock_of(const std::string& name) {
#ifdef BUSBAR_FAKETIME
    TestHost& host = cluster[name];
    set_clock_of(name, "+0d");
    host.variables = {{"LD_PRELOAD", BUSBAR_FAKETIME},
                      {"FAKETIME_TIMESTAMP_FILE", clock_file_of(name)},
                      {"FAKETIME_CACHE_DURATION", "1"},
                      { "FAKETIME_DONT_FAKE_MONOTONIC",
                        "1" }};
#endif
  }
  std::string clock_file_of(const std::string& name) const { return cluster[name].root() / "clock"; }
  void set_clock_of(const std::string& name, const std::string& offset) const {
    write_file(clock_file_of(name), offset + "\n");
  }
  /// By the host's own clock: when it has begun to know itself.
  std::string since(const std::string& name) const { return cluster[name].ask({"nodes"}).json["nodes"][0]["since"]; }
  /// The day of its latest event, of which each call makes some; empty: it tells none.
  std::string day_of_a_call(const std::string& name) const {
    EXPECT_EQ(cluster[name].call("work", {{"number", 1}, {"ms", 0}}).status, 0);
    const std::string events = cluster[name].busbar({"--json", "events"}).out;
    const auto last = events.rfind("\"at\":\"");
    return last == std::string::npos ? "" : events.substr(last + 6, 10);
  }
  std::uint64_t incarnation(const std::string& name) const {
    return cluster[name].ask({"nodes"}).json["nodes"][0]["incarnation"];
  }
};

TEST_F(FaultyClock, C_G9_ANodeWhoseClockIsSetBackADayServesOnAndRestartsAsALaterOne) {
  add("a");
  make("b");
  fake_the_clock_of("b");
  start("b");
  add("c");
  start_callers({"a", "b", "c"});
  const std::string today = since("b").substr(0, 10);
  const std::uint64_t first = incarnation("b");

  set_clock_of("b", "-1d");
  ASSERT_TRUE(eventually([&] {
    const std::string day = day_of_a_call("b");
    return !day.empty() && day < today;
  })) << "its clock goes wrong while it runs";
  expect_more_calls();
  expect_healed({{"work", {"a", "b", "c"}}});
  for (const auto& each : callers) EXPECT_EQ(each->latest()["failed"], Json::object()) << each->name();

  allow("badrpc nodedown");
  cluster.kill("b");
  start("b");
  EXPECT_LT(since("b").substr(0, 10), today) << "its clock goes wrong indeed";
  EXPECT_EQ(incarnation("b"), first + 1) << "by what it has stored";
  expect_healed({{"work", {"a", "b", "c"}}});

  cluster.kill("b");
  std::filesystem::remove_all(cluster["b"].state());
  start("b");
  expect_healed({{"work", {"a", "b", "c"}}});
  EXPECT_EQ(incarnation("b"), first + 2) << "by what the others know";
}

}  // namespace
}  // namespace busbar::system_tests
