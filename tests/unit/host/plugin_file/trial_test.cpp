#include "plugins/file/trial.hpp"

#include <busbar/abi.h>

#include <sched.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stop_token>
#include <thread>

#include "support.hpp"
#include "support/eventually.hpp"

namespace busbar::host {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using testing::fixture;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr bool kSanitized = BUSBAR_BUILD_FLAGS != 0;

TrialReport try_fixture(const std::string& name, std::chrono::milliseconds timeout = 60s) {
  return try_in_child(BUSBAR_TRIAL_PROGRAM, fixture(name), timeout);
}

TEST(Trial, PassesAGoodPluginAndTellsItsServices) {
  const TrialReport report = try_fixture("good");
  EXPECT_TRUE(report.ok()) << report.reason;
  EXPECT_THAT(report.router.services, ElementsAre(ServiceFacts{"good", "Answers ok.", false, false, true, false, 250}));
  EXPECT_EQ(report.unmapped, kSanitized ? std::nullopt : std::optional(true));
}

// The host alone calls `start`.
TEST(Trial, DoesNotStartThePlugin) { EXPECT_TRUE(try_fixture("start_fails").ok()); }

// U1
TEST(Trial, TellsThatALibraryStaysMapped) {
  if (kSanitized) GTEST_SKIP() << "sanitizer builds do not unload";
  EXPECT_EQ(try_fixture("no_delete").unmapped, false);
}

TEST(Trial, SaysWhatTheConstructorSaid) {
  const TrialReport report = try_fixture("create_fails");
  EXPECT_EQ(report.outcome, TrialOutcome::refused);
  EXPECT_EQ(report.reason, "its constructor failed: no licence was found");
}

TEST(Trial, ContainsAnExceptionThatCrossesTheBoundary) {
  const TrialReport report = try_fixture("throws_across_the_boundary");
  EXPECT_EQ(report.outcome, TrialOutcome::refused);
  EXPECT_EQ(report.reason, "its constructor let an exception escape: the lid is off");
}

// Under the address sanitizer a signal becomes an exit with its report, so that only the place is the same.
void expect_crash(const TrialReport& report, const std::string& signal, const std::string& place) {
  EXPECT_FALSE(report.ok());
  EXPECT_THAT(report.reason, HasSubstr(place));
  if (kSanitized) return;
  EXPECT_EQ(report.outcome, TrialOutcome::crashed);
  EXPECT_THAT(report.reason, StartsWith("crashed with " + signal));
}

TEST(Trial, SurvivesACrashInAStaticInitialiser) {
  expect_crash(try_fixture("crashes_in_initialiser"), "SIGSEGV", "while it was being loaded");
}

TEST(Trial, SurvivesACrashInTheConstructorAndTellsItsLastWords) {
  const TrialReport report = try_fixture("crashes_in_create");
  expect_crash(report, "SIGABRT", "while its constructor ran");
  EXPECT_THAT(report.said, HasSubstr("the tank is empty"));
  if (kSanitized) return;
  EXPECT_THAT(report.reason, EndsWith("having said last \"the tank is empty\""));
}

TEST(Trial, SurvivesACrashInTheDestructor) {
  expect_crash(try_fixture("crashes_in_destroy"), "SIGBUS", "while its destructor ran");
}

// L1: what no look at the structure can see.
TEST(Trial, SurvivesAFileWhoseCodeIsZeros) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer's own code lies in the file too";
  const testing::TemporaryFolder folder;
  testing::Bytes bytes = testing::read_bytes(fixture("good"));
  ASSERT_GT(bytes.size(), 0x1100U);
  std::fill(bytes.begin() + 0x1000, bytes.begin() + 0x1100, std::uint8_t{0});  // the first page of code
  testing::write_bytes(folder / "zeroed.so", bytes);
  const TrialReport report = try_in_child(BUSBAR_TRIAL_PROGRAM, folder / "zeroed.so", 60s);
  EXPECT_EQ(report.outcome, TrialOutcome::crashed) << report.reason;
}

TEST(Trial, EndsAHangInAStaticInitialiser) {
  const TrialReport report = try_fixture("hangs_in_initialiser", 1500ms);
  EXPECT_EQ(report.outcome, TrialOutcome::timed_out);
  EXPECT_EQ(report.reason, "did not finish within 1500 ms while it was being loaded and its static initialisers ran");
}

/// How many processes of this user have `text` in their command line.
int processes_with(const std::string& text) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    std::ostringstream line;
    line << file.rdbuf();  // nothing of a process that is gone meanwhile
    count += line.str().find(text) != std::string::npos ? 1 : 0;
  }
  return count;
}

TEST(Trial, EndsAHangInTheConstructorAndEveryProcessOfIt) {
  const testing::TemporaryFolder folder;  // whose name is in the command line of this trial alone
  const auto path = folder / "hangs.so";
  std::filesystem::copy(fixture("hangs_in_create"), path);
  const TrialReport report = try_in_child(BUSBAR_TRIAL_PROGRAM, path, 2s);
  EXPECT_EQ(report.outcome, TrialOutcome::timed_out);
  EXPECT_EQ(report.reason, "did not finish within 2 s while its constructor ran");
  // A killed process that is no child of ours may take a moment to be gone.
  for (int i = 0; i < 1000 && processes_with(path.string()) != 0; ++i) usleep(10'000);
  EXPECT_EQ(processes_with(path.string()), 0);
}

/// Keeps this thread, and whatever it starts, on the processor that it runs on.
class OneProcessor {
 public:
  OneProcessor() {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  ~OneProcessor() { sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

// At nice 10, as a trial is: each of those who are busy there has nine times what it has.
TEST(Trial, IsNotBlamedForOthersWhoKeepTheProcessorFromIt) {
  const testing::TemporaryFolder folder;
  const auto works = folder / "works";
  std::ofstream(works) << "#!/bin/sh\nexec nice -n 10 sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'\n";
  std::filesystem::permissions(works, std::filesystem::perms::owner_all);
  const OneProcessor here;
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(try_in_child(works, fixture("good"), 60s).outcome, TrialOutcome::no_report);
  const auto alone = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  const auto is_busy = [](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
    }
  };
  const std::jthread busy[] = {std::jthread(is_busy), std::jthread(is_busy), std::jthread(is_busy)};
  const TrialReport report = try_in_child(works, fixture("good"), 8 * alone);
  EXPECT_EQ(report.outcome, TrialOutcome::no_report) << report.reason << ", alone it took " << alone.count() << " ms";
}

TEST(Trial, IsGivenUpWhenItsHostStops) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "hangs.so";
  std::filesystem::copy(fixture("hangs_in_create"), path);
  std::stop_source host;
  std::jthread stops([&] {
    while (processes_with(path.string()) < 2) std::this_thread::yield();  // it hangs
    host.request_stop();
  });
  const TrialReport report = try_in_child(BUSBAR_TRIAL_PROGRAM, path, 10min, host.get_token());
  EXPECT_EQ(report.outcome, TrialOutcome::given_up);
  for (int i = 0; i < 1000 && processes_with(path.string()) != 0; ++i) usleep(10'000);
  EXPECT_EQ(processes_with(path.string()), 0);
}

/// Whether a process with `text` in its command line lets others go first.
bool gives_way(const std::string& text) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ostringstream line;
    line << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (line.str().find(text) == std::string::npos) continue;
    if (sched_getscheduler(std::stoi(entry.path().filename())) == SCHED_BATCH) return true;
  }
  return false;
}

// Also where who asks for it does not, as `busbar check` does.
TEST(Trial, LetsOthersGoFirst) {
  if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "this process has another policy than the usual one";
  const testing::TemporaryFolder folder;
  const auto path = folder / "hangs.so";
  std::filesystem::copy(fixture("hangs_in_create"), path);
  std::stop_source host;
  bool gave_way = false;
  std::jthread looks([&] {
    gave_way = busbar::testing::eventually([&] { return gives_way(path.string()); });
    host.request_stop();
  });
  EXPECT_EQ(try_in_child(BUSBAR_TRIAL_PROGRAM, path, 10min, host.get_token()).outcome, TrialOutcome::given_up);
  looks.join();
  EXPECT_TRUE(gave_way);
}

TEST(Trial, IsNotPassedByEndingTheProcess) {
  const TrialReport report = try_fixture("exits_in_create");
  EXPECT_EQ(report.outcome, TrialOutcome::no_report);
  EXPECT_EQ(report.reason, "ended its process with status 0 while its constructor ran");
}

TEST(Trial, IsNotDisturbedByWhatThePluginWrites) {
  const TrialReport report = try_fixture("talks_on_standard_output");
  EXPECT_TRUE(report.ok()) << report.reason;
  EXPECT_THAT(report.said, HasSubstr("not me"));
  EXPECT_LE(report.said.size(), 4096U);
}

TEST(Trial, RefusesABadServiceName) {
  EXPECT_THAT(try_fixture("bad_service_name").reason, HasSubstr("bad service name \"Bad-Name\""));
}

TEST(Trial, RefusesAServiceTwice) {
  EXPECT_EQ(try_fixture("service_twice").reason, "service \"service_twice\" is there twice");
}

TEST(Trial, RefusesARouterWithoutServices) { EXPECT_EQ(try_fixture("no_service").reason, "it offers no service"); }

TEST(Trial, RefusesARouterThatIsTooSmall) {
  EXPECT_THAT(try_fixture("small_router").reason, HasSubstr("its router has 16 bytes, expected at least "));
}

// L5, B3: bound at once, and in the loader's own words.
TEST(Trial, TellsTheLoadersTextForAnUndefinedSymbol) {
  const TrialReport report = try_fixture("undefined_symbol");
  EXPECT_EQ(report.outcome, TrialOutcome::refused);
  EXPECT_EQ(report.reason, "the system's loader refused it: undefined symbol: busbar_tests_nobody_defines_this");
}

TEST(Trial, TellsTheLoadersTextForAMissingLibrary) {
  EXPECT_THAT(try_fixture("missing_dependency").reason,
              AllOf(StartsWith("the system's loader refused it: "), HasSubstr("libbusbar_tests_absent.so")));
}

TEST(Trial, RefusesAFileWithoutDescriptorBeforeItRuns) {
  EXPECT_THAT(try_fixture("no_descriptor").reason, HasSubstr("has no plugin descriptor"));
}

TEST(Trial, SaysThatItCouldNotBeMade) {
  const TrialReport report = try_in_child("/nowhere/program", fixture("good"), 60s);
  EXPECT_EQ(report.outcome, TrialOutcome::not_started);
  EXPECT_THAT(report.reason, HasSubstr("could not start \"/nowhere/program\""));
}

TEST(Trial, ToleratesAProgramThatDoesSomethingElse) {
  EXPECT_EQ(try_in_child("/bin/true", fixture("good"), 60s).reason,
            "ended its process with status 0 before it was loaded");
  EXPECT_EQ(try_in_child("/bin/echo", fixture("good"), 60s).outcome, TrialOutcome::no_report);
}

TEST(Trial, LeavesNoDescriptorOpen) {
  const auto open = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = open();
  try_fixture("good");
  try_fixture("create_fails");
  EXPECT_EQ(open(), before);
}

}  // namespace
}  // namespace busbar::host
