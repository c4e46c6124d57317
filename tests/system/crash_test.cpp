// A plugin that crashes takes the host along; its last line says so.
#include <signal.h>

#include <sstream>

#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Crash : public SystemTest {
 protected:
  void SetUp() override {
    if (under_any_sanitizer()) GTEST_SKIP() << "sanitizers write reports of their own";
    host.add("crashes");
    host.configure("[plugins]\nmax_crashes = 100\n");  // it is to be loaded again
  }

  /// How the host has ended, which must be by this signal. It may be started again.
  Ended ended_by(int signal) {
    const auto ended = host.process().wait();
    EXPECT_TRUE(ended.has_value());
    if (!ended) return {};
    EXPECT_EQ(ended->signal, signal) << ended->err;
    host.forget();
    return *ended;
  }

  /// The line of the crash in what a host said: there must be one.
  static std::string line_in(const std::string& said) {
    std::istringstream lines(said);
    std::vector<std::string> found;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("host.crash") != std::string::npos) found.push_back(line);
    }
    EXPECT_EQ(found.size(), 1u) << said;
    return found.empty() ? std::string() : found.front();
  }

  /// Calls a service that crashes the host, and returns the line.
  std::string line_of(const std::string& service, int signal) {
    host.start();
    host.busbar({"call", service, "{}"});  // it may be answered before the host has crashed
    return line_in(ended_by(signal).err);
  }
};

TEST_F(Crash, OfAHandlerIsToldWithItsSignalItsPluginAndItsService) {
  EXPECT_THAT(line_of("reads_null", SIGSEGV),
              AllOf(HasSubstr("Z error host.crash: a plugin crashed"), HasSubstr(" signal=SIGSEGV address=0x0 "),
                    HasSubstr(" plugin=crashes service=reads_null message_id="), HasSubstr(" trace_id="),
                    HasSubstr(" code=crashes-"), HasSubstr(" hint=\"")));
  EXPECT_THAT(line_of("reads_null_inline", SIGSEGV), HasSubstr(" plugin=crashes service=reads_null_inline "));
  EXPECT_THAT(line_of("aborts", SIGABRT),
              AllOf(HasSubstr(" signal=SIGABRT plugin=crashes service=aborts "), Not(HasSubstr("address="))));
  EXPECT_THAT(line_of("is_sent_a_signal", SIGFPE), HasSubstr(" signal=SIGFPE plugin=crashes "));
}

TEST_F(Crash, IsWhatTheLogSaysToWhichTheCallerIsPointed) {
  host.start();
  const Ended call = host.busbar({"call", "reads_null", "{}"});
  EXPECT_EQ(call.status, 7) << call.out;
  EXPECT_THAT(call.err, HasSubstr("its log says why"));
  line_in(ended_by(SIGSEGV).err);
}

TEST_F(Crash, ByAnOverflowOfTheStackIsToldToo) {
  EXPECT_THAT(line_of("overflows", SIGSEGV), HasSubstr(" plugin=crashes service=overflows "));
}

TEST_F(Crash, ByAnExceptionThatNobodyCatchesSaysWhatItWas) {
  EXPECT_THAT(line_of("throws_where_none_may", SIGABRT),
              AllOf(HasSubstr(" signal=SIGABRT plugin=crashes service=throws_where_none_may "),
                    HasSubstr("exception=\"the ?kettle??is cold\"")));
}

TEST_F(Crash, OutsideOfAHandlerIsToldAsFarAsItIsKnown) {
  EXPECT_THAT(line_of("in_callback", SIGSEGV), HasSubstr(" plugin=crashes function=callback "));
  const std::string in_thread = line_of("in_thread", SIGSEGV);
  EXPECT_THAT(in_thread, AllOf(HasSubstr("host.crash: crashed"), Not(HasSubstr("plugin=")))) << "nobody knows whose";
  EXPECT_THAT(in_thread, HasSubstr(" code=crashes-")) << "but where";
}

TEST_F(Crash, OfAStartIsTold) {
  host.configure("[plugin.crashes]\ncrash_at_start = true\n");
  Process process = host.start_process();
  const auto ended = process.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->signal, SIGSEGV);
  EXPECT_THAT(line_in(ended->err), HasSubstr(" plugin=crashes function=start "));
}

TEST_F(Crash, ComesBehindAllThatWasLoggedBeforeIt) {
  host.start();
  host.busbar({"call", "logs_and_crashes", "{}"});
  const std::string said = ended_by(SIGSEGV).err;
  const std::size_t crash = said.find(" host.crash: ");
  int found = 0;
  for (std::size_t at = 0; (at = said.find(": before ", at)) < crash; ++at) ++found;
  EXPECT_EQ(found, 2'000);
}

TEST_F(Crash, IsToldInTheFileWhereTheLogIsOne) {
  host.start({"--log-file", host.root() / "log"});
  host.busbar({"call", "reads_null", "{}"});
  EXPECT_THAT(ended_by(SIGSEGV).err, Not(HasSubstr("host.crash")));
  EXPECT_THAT(line_in(read_file(host.root() / "log")), HasSubstr(" plugin=crashes service=reads_null message_id="));
}

TEST_F(Crash, IsToldInJsonWhereTheLogIsJson) {
  host.start({"--log-format", "json"});
  host.call("throws_where_none_may");
  const Ended ended = ended_by(SIGABRT);
  const Json line = Json::parse(line_in(ended.err), nullptr, false);
  ASSERT_TRUE(line.is_object()) << ended.err;
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["logger"], "host.crash");
  EXPECT_EQ(line["signal"], "SIGABRT");
  EXPECT_EQ(line["service"], "throws_where_none_may");
  std::istringstream lines(ended.err);
  for (std::string each; std::getline(lines, each);) EXPECT_TRUE(Json::accept(each)) << each;
}

TEST_F(Crash, IsNoMoreThanThatForTheNextStart) {
  line_of("reads_null", SIGSEGV);
  host.start();
  EXPECT_EQ(host.call("works").status, 0);
  EXPECT_THAT(host.log(), HasSubstr("took over"));
}

}  // namespace
}  // namespace busbar::system_tests
