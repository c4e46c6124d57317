// A debugger finds the sources of a plugin that a host has loaded: from a private copy, which it keeps as long as it
// serves.
#include <sstream>

#include "system/support/test_host.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class Debugging : public SystemTest {
 protected:
  void SetUp() override {
    if (under_any_sanitizer()) GTEST_SKIP() << "a sanitizer does not work under a debugger";
  }

  /// Where the handler is to be stopped at, as `debugged.cpp:16`.
  static std::string place() {
    std::istringstream source(read_file(fs::path(BUSBAR_FIXTURE_SOURCES) / "debugged.cpp"));
    int number = 1;
    for (std::string line; std::getline(source, line); ++number) {
      if (line.find("the debugger stops here") != std::string::npos) return "debugged.cpp:" + std::to_string(number);
    }
    ADD_FAILURE() << "the fixture has no such line";
    return {};
  }

  /// gdb, with nothing of its user's, and what it is to do.
  std::vector<std::string> gdb(const std::string& to_do) const {
    write_file(host.root() / "to_do",
               "set breakpoint pending on\n"
               "handle SIGHUP SIGTERM nostop noprint pass\n"
               "break " +
                   place() + "\n" + to_do);
    return {"gdb", "--nx", "--batch", "-x", host.root() / "to_do"};
  }
  static constexpr const char* kLook = "backtrace\ninfo locals\ninfo symbol $pc\n";

  /// Of what gdb has said.
  void expect_sources_in(const std::string& said) const {
    EXPECT_THAT(said, ContainsRegex("#0 .*Debugged::doubled .*number=21.* at .*/tests/plugins/" + place() + "\n"));
    EXPECT_THAT(said, HasSubstr("\ntwice = 42\n"));
    EXPECT_THAT(said, HasSubstr(" of " + host.cache().string() + "/")) << "it is the private copy that runs";
  }
  /// Another file of the same sources.
  void replace() const {
    write_file(host.plugins() / ".next", read_file(host.plugins() / "debugged.so") + "\n");
    fs::rename(host.plugins() / ".next", host.plugins() / "debugged.so");
    ASSERT_TRUE(eventually([&] {
      const Json row = host.plugin("debugged.so");
      return row["generation"] == 2 && row["state"] == "serving";
    })) << host.log();
  }
  void expect_answer() const {
    const Answer answer = host.call("doubled", 21, {"--timeout", "60000"});
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(answer.json["value"], 42);
  }
};

// The library is not loaded when the breakpoint is set: it comes later, and by another name; so does its next version.
TEST_F(Debugging, OfAHostThatIsStartedByTheDebuggerStopsInThePluginsSource) {
  host.launcher = gdb(std::string("run\n") + kLook + "continue\n" + "echo next version\\n\n" + kLook + "continue\n");
  host.launcher.insert(host.launcher.end(), {"--return-child-result", "--args"});
  host.start();
  host.add("debugged");
  ASSERT_TRUE(eventually([&] { return host.plugin("debugged.so")["state"] == "serving"; })) << host.log();
  expect_answer();
  replace();
  expect_answer();
  const std::string said = host.process().out();
  const std::size_t next = said.find("next version\n");
  ASSERT_NE(next, std::string::npos) << said;
  expect_sources_in(said.substr(0, next));
  expect_sources_in(said.substr(next));
  const std::string children =
      "/proc/" + std::to_string(host.process().pid()) + "/task/" + std::to_string(host.process().pid()) + "/children";
  const pid_t debugged = std::stoi(read_file(children));
  kill(debugged, SIGTERM);
  host.finish();
}

// Where only a parent may debug a process (Yama), the host lets everybody, as its user may have allowed by sysctl.
TEST_F(Debugging, OfAHostThatRunsStopsInThePluginsSourceAndLetsItGo) {
  host.launcher = {"python3", "-c",
                   "import ctypes, os, sys\n"
                   "ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER, of anybody\n"
                   "os.execvp(sys.argv[1], sys.argv[1:])"};
  host.add("debugged");
  host.start();
  std::vector<std::string> arguments = gdb(std::string("continue\n") + kLook + "detach\n");
  arguments.insert(arguments.end(), {"-p", std::to_string(host.process().pid())});
  Process debugger({.arguments = arguments, .variables = {}, .scratch = host.root() / "said"});
  ASSERT_TRUE(eventually([&] { return debugger.out().find("Breakpoint 1 at ") != std::string::npos; }))
      << debugger.out() << debugger.err();
  expect_answer();
  const auto ended = debugger.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->err;
  expect_sources_in(ended->out);
  expect_answer();
}

}  // namespace
}  // namespace busbar::system_tests
