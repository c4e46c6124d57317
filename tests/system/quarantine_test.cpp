// A host that comes back after a crash knows which plugin it was, and does without it when that happens again and
// again.
#include <signal.h>

#include <filesystem>

#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;
using testing::Not;

class Quarantine : public SystemTest {
 protected:
  void SetUp() override {
    if (under_any_sanitizer()) GTEST_SKIP() << "a sanitizer turns a crash into a report of its own";
    host.add("crashes_on_third");
    host.add("greeter");
  }
  void crash() {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(host.call("fragile").status, 0);
    EXPECT_NE(host.call("fragile").status, 0);
    ASSERT_TRUE(host.process().wait());
    host.forget();
  }
  std::string reason() { return host.plugin("crashes_on_third.so")["reason"]; }
};

TEST_F(Quarantine, APluginThatCrashesOnItsThirdCallIsNamedAndQuarantinedAfterThreeRestarts) {
  host.start();
  crash();
  for (int restart = 1; restart <= 2; ++restart) {
    host.start();
    EXPECT_THAT(host.log(), HasSubstr("plugin=crashes_on_third"));
    EXPECT_THAT(host.log(), HasSubstr("SIGSEGV in service fragile"));
    EXPECT_EQ(host.plugin("crashes_on_third.so")["state"], "serving");
    crash();
  }
  host.start();
  EXPECT_EQ(host.plugin("crashes_on_third.so")["state"], "failed");
  EXPECT_THAT(reason(), testing::AllOf(HasSubstr("quarantined"), HasSubstr("3 times"), HasSubstr("SIGSEGV")));
  EXPECT_EQ(host.call("fragile").status, 3);
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).status, 0) << "the others serve";

  host.stop();
  host.start();
  EXPECT_THAT(reason(), HasSubstr("quarantined"));
  EXPECT_THAT(host.log(), Not(HasSubstr("crashed inside a plugin"))) << "it has stopped in order";
  EXPECT_EQ(host.ask({"reload", "crashes_on_third"}).status, 0);
  EXPECT_EQ(host.call("fragile").status, 0);
}

TEST_F(Quarantine, AnotherFileEndsIt) {
  host.configure("[plugins]\nmax_crashes = 1\n");
  host.start();
  crash();
  host.start();
  EXPECT_THAT(reason(), HasSubstr("quarantined"));
  host.add("good", "crashes_on_third.so");
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(host.call("good").status, 0);
}

TEST_F(Quarantine, WhoIsKilledHasNotCrashed) {
  host.configure("[plugins]\nmax_crashes = 1\n");
  host.add("behaviours");
  host.start();
  Process caller = host.start_busbar({"call", "never_returns", "{}"});
  ASSERT_TRUE(eventually([&] { return host.plugin("behaviours.so")["calls_running"] == 1; }));
  host.kill();
  host.forget();
  host.start();
  EXPECT_EQ(host.plugin("behaviours.so")["state"], "serving");
  EXPECT_THAT(host.log(), HasSubstr("was killed when it ran last"));
  EXPECT_THAT(host.log(), HasSubstr("plugins=behaviours"));
}

}  // namespace
}  // namespace busbar::system_tests
