// `busbar dev`: a project is built, served, and both again at every save. Here it is one in C that is built in no time;
// tools/new.sh does the same with what `busbar new` writes.
#include <signal.h>

#include <algorithm>
#include <regex>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A plugin whose service answers with a small number. What it includes is for the tests to write.
constexpr const char* kSource = R"(#include "fixture.h"
#include "answer.h"

static uint32_t handle(void* self, const busbar_service* service, busbar_call* call, const busbar_message* message) {
  static const uint8_t value[] = {ANSWER};
  busbar_response response = {.struct_size = sizeof response, .kind = BUSBAR_RESPONSE_OK,
                              .flags = BUSBAR_RESPONSE_HAS_VALUE, .value = {value, 1}};
  busbar_reply reply = {.struct_size = sizeof reply, .response = &response};
  (void)self, (void)service, (void)message;
  fixture_host->reply(call, &reply);
  return BUSBAR_REPLIED;
}

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  fixture_create(host, error);
  fixture_router.handle = handle;
  return &fixture_router;
}
BUSBAR_PLUGIN_ENTRY(create, FIXTURE_NAME, "1.0.0");
)";

std::string description(const std::string& more = {}, const std::string& name = "number") {
  return R"(cmake_minimum_required(VERSION 3.25)
project(number LANGUAGES C)
set(name )" +
         name + R"()
add_library(${name} MODULE src/number.c)
set_target_properties(${name} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden)
target_compile_definitions(${name} PRIVATE FIXTURE_NAME="number")
target_include_directories(${name} PRIVATE ")" BUSBAR_SDK_INCLUDE R"(" ")" BUSBAR_FIXTURE_SOURCES R"(")
add_executable(unbuildable unbuildable.c) # as a test is that does not fit any more
)" + more;
}

class Dev : public SystemTest {
 protected:
  void SetUp() override {
    fs::create_directories(project / "src");
    fs::create_directory(tmp);
    write_file(project / "CMakeLists.txt", description());
    write_file(project / "src/number.c", kSource);
    write_file(project / "unbuildable.c", "#error \"it is not to be built\"\n");
    save_answer("1");
  }
  void TearDown() override { stop(); }

  Process start_with(std::vector<std::string> arguments, std::map<std::string, std::string> variables = {}) const {
    Command command;
    command.arguments = {tested::busbar()};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.variables = std::move(variables);
    command.variables["TMPDIR"] = tmp;
    command.scratch = host.root() / "said";
    return Process(command);
  }
  Ended ended_with(std::vector<std::string> arguments, std::map<std::string, std::string> variables = {}) const {
    Process process = start_with(std::move(arguments), std::move(variables));
    const auto ended = process.wait();
    EXPECT_TRUE(ended) << process.out();
    return ended.value_or(Ended{});
  }
  void start(std::vector<std::string> more = {}) {
    if (under_any_sanitizer()) return;
    more.insert(more.begin(), {"--run-dir", host.run_dir(), "dev", project});
    dev_.emplace(start_with(std::move(more)));
  }
  /// Ends it as Ctrl-C does, and expects that nothing is left of it.
  void stop(int number = SIGINT) {
    if (!dev_) return;
    const pid_t served = host_process();
    dev_->signal(number);
    const auto ended = dev_->wait();
    const std::string said = dev_->out() + dev_->err();
    dev_.reset();
    ASSERT_TRUE(ended) << said;
    EXPECT_EQ(ended->status, 0) << said;
    EXPECT_TRUE(fs::is_empty(tmp)) << said;
    EXPECT_TRUE(is_gone(served)) << said;
  }

  void save_answer(const std::string& answer) const {
    write_file(project / "src/answer.h", "#define ANSWER " + answer + "\n");
  }
  bool answers(int number) const {
    return eventually([&] { return host.call("number").json["value"] == number; });
  }
  std::string out() const { return dev_->out(); }
  bool says(const std::string& text) const {
    return eventually([&] { return out().find(text) != std::string::npos; });
  }
  std::ptrdiff_t times(const std::string& text) const {
    const std::string said = out();
    std::ptrdiff_t count = 0;
    for (std::size_t at = said.find(text); at != std::string::npos; at = said.find(text, at + 1)) ++count;
    return count;
  }
  /// As it was told last; 0 where no host was started.
  pid_t host_process() const {
    static const std::regex told("the host is process ([0-9]+)");
    const std::string said = out();
    pid_t last = 0;
    for (std::sregex_iterator one(said.begin(), said.end(), told), end; one != end; ++one) last = std::stoi((*one)[1]);
    return last;
  }
  /// Whoever has to may not have asked for its end yet.
  static bool is_gone(pid_t process) {
    const std::string facts = read_file("/proc/" + std::to_string(process) + "/stat");
    const std::size_t name_end = facts.rfind(") ");
    return process == 0 || name_end == std::string::npos || facts.at(name_end + 2) == 'Z';
  }

  const fs::path project = host.root() / "project";
  const fs::path tmp = host.root() / "tmp";
  std::optional<Process> dev_;
};

class DevServes : public Dev {
 protected:
  void SetUp() override {
    if (under_any_sanitizer()) GTEST_SKIP() << "what is built here is not built with the sanitizer";
    Dev::SetUp();
  }
};

TEST_F(DevServes, AProjectAndWhatItsSavesMakeOfIt) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  save_answer("2");
  ASSERT_TRUE(answers(2)) << out();

  save_answer("2 it is broken");
  ASSERT_TRUE(says("failed: the build ended with exit status 1; what was built before goes on")) << out();
  EXPECT_THAT(out(), HasSubstr("answer.h:1:"));
  EXPECT_EQ(host.call("number").json["value"], 2);

  save_answer("3");
  ASSERT_TRUE(answers(3)) << out();
  EXPECT_EQ(host.plugin("number.so")["generation"], 3);

  Process& dev = *dev_;
  EXPECT_TRUE(eventually([&] { return dev.out().find("  service_responded  number  ") != std::string::npos; }));
  EXPECT_TRUE(says("  plugin_reloaded  "));
  EXPECT_THAT(out(), Not(HasSubstr("executing_service")));
  EXPECT_THAT(dev.err(), HasSubstr("host: ready node=dev")) << "the host's log";
  dev.signal(SIGINT);
  const auto ended = dev.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0);
  EXPECT_THAT(ended->out, HasSubstr("dev: ending the host\ndev: the host has ended in order\n"));
  dev_.reset();
  EXPECT_TRUE(fs::is_empty(tmp));
  EXPECT_EQ(host.ask({"status"}).status, 7);
}

TEST_F(DevServes, OfWhatIsInNewDirectoriesToo) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  fs::create_directories(project / "new/deep");
  write_file(project / "new/deep/answer.h", "#define ANSWER 4\n");
  write_file(project / "src/answer.h", "#include \"../new/deep/answer.h\"\n");
  ASSERT_TRUE(answers(4)) << out();
  write_file(project / "new/deep/answer.h", "#define ANSWER 5\n");
  EXPECT_TRUE(answers(5)) << out();
}

TEST_F(DevServes, AFirstBuildThatFailsOnceItIsMended) {
  save_answer("it is broken");
  start();
  ASSERT_TRUE(says("there is nothing yet that could be served")) << out();
  save_answer("6");
  EXPECT_TRUE(answers(6)) << out();
}

TEST_F(DevServes, ABurstOfSavesAfterOneBuild) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  for (int i = 0; i < 200; ++i) save_answer(std::to_string(i % 20));
  save_answer("7");
  EXPECT_TRUE(answers(7)) << out();
  EXPECT_LT(times("saved; building"), 10) << out();
}

TEST_F(DevServes, NothingAnewWhereTheBytesAreTheSame) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  save_answer("1");
  ASSERT_TRUE(says("the libraries are as they were")) << out();
  save_answer("8");
  ASSERT_TRUE(answers(8)) << out();
  EXPECT_EQ(host.plugin("number.so")["generation"], 2);
  EXPECT_EQ(times("brought to the host: number.so"), 2);
}

TEST_F(DevServes, WhatIsCalledOtherwiseNowUnderThatNameAlone) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  write_file(project / "CMakeLists.txt", description({}, "digit"));
  ASSERT_TRUE(says("taken from the host: number.so")) << out();
  EXPECT_TRUE(eventually([&] { return host.plugin("digit.so")["state"] == "serving"; })) << out();
  EXPECT_TRUE(eventually([&] { return host.plugin("number.so").is_null(); }));
  EXPECT_THAT(out() + dev_->err(), Not(HasSubstr("unknown target"))) << "the target of before was not to be built";
}

// What the project is made of may stand in any file: that it has changed is found by the build alone.
TEST_F(DevServes, WhatAFileHasNamedThatCMakeReads) {
  write_file(project / "names.txt", "");
  write_file(project / "CMakeLists.txt", description("include(names.txt)\n"));
  start();
  ASSERT_TRUE(answers(1)) << out();
  write_file(project / "names.txt", "set_target_properties(number PROPERTIES OUTPUT_NAME digit)\n");
  ASSERT_TRUE(says("taken from the host: number.so")) << out();
  EXPECT_TRUE(eventually([&] { return host.plugin("digit.so")["state"] == "serving"; })) << out();
}

TEST_F(DevServes, WithAConfigurationThatItIsGiven) {
  write_file(project / "host.toml", "[node]\nname = \"given\"\n");
  start({"--config", project / "host.toml"});
  ASSERT_TRUE(answers(1)) << out();
  EXPECT_EQ(host.call("number").json["node"], "given");
}

TEST_F(DevServes, AgainAtTheNextSaveAfterTheHostHasEnded) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  kill(host_process(), SIGKILL);
  ASSERT_TRUE(says("the host has ended with signal SIGKILL; at the next save it is started again")) << out();
  EXPECT_EQ(host.ask({"status"}).status, 7);
  save_answer("9");
  EXPECT_TRUE(answers(9)) << out();
}

TEST_F(DevServes, WhatWasBuiltLastAfterTheHostHasEndedAndTheBuildFails) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  kill(host_process(), SIGKILL);
  ASSERT_TRUE(says("the host has ended with signal SIGKILL")) << out();
  save_answer("it is broken");
  EXPECT_TRUE(answers(1)) << out();
}

TEST_F(DevServes, UntilItIsKilledItself) {
  start();
  ASSERT_TRUE(answers(1)) << out();
  const pid_t served = host_process();
  dev_->signal(SIGKILL);
  dev_->wait();
  dev_.reset();
  EXPECT_TRUE(eventually([&] { return is_gone(served); })) << "the host goes on without it";
}

// A step of the build that does not end by itself; it says who it is.
class DevBuilds : public DevServes {
 protected:
  void SetUp() override {
    DevServes::SetUp();
    if (IsSkipped()) return;
    write_file(project / "wait.sh",
               "echo $$ > build/waiting.part && mv build/waiting.part build/waiting && exec sleep 1000\n");
    write_file(project / "CMakeLists.txt", description("add_custom_command(TARGET number PRE_LINK COMMAND sh wait.sh "
                                                       "WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})\n"));
    start();
    ASSERT_TRUE(eventually([&] { return fs::exists(project / "build/waiting"); })) << out();
    waiting_ = std::stoi(read_file(project / "build/waiting"));
    ASSERT_FALSE(is_gone(waiting_));
  }
  pid_t waiting_ = 0;
};

TEST_F(DevBuilds, AnewWhatIsSavedWhileItBuilds) {
  write_file(project / "CMakeLists.txt", description());
  EXPECT_TRUE(answers(1)) << out();
  EXPECT_TRUE(eventually([&] { return is_gone(waiting_); }));
}

TEST_F(DevBuilds, UntilItIsInterrupted) {
  stop(SIGTERM);
  EXPECT_TRUE(eventually([&] { return is_gone(waiting_); }))
      << "who has killed it is not its parent, and cannot wait for it";
}

// -- what cannot be

TEST_F(Dev, NeedsAProject) {
  const Ended nowhere = ended_with({"dev", host.root() / "nowhere"});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("nowhere\": no such file or directory"));
  const Ended empty = ended_with({"dev", tmp});
  EXPECT_EQ(empty.status, 1);
  EXPECT_THAT(empty.err, AllOf(HasSubstr("could not build and serve \"" + tmp.string() + "\""),
                               HasSubstr("found no CMakeLists.txt"), HasSubstr("busbar new")));
  EXPECT_TRUE(fs::is_empty(tmp));
}

TEST_F(Dev, NeedsCMake) {
  const Ended ended = ended_with({"dev", project}, {{"PATH", host.root()}});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("could not run \"cmake\": no such file or directory"));
  EXPECT_THAT(ended.err, HasSubstr("install CMake"));
  EXPECT_TRUE(fs::is_empty(tmp));
}

TEST_F(DevServes, NothingWhereThereIsNoLibraryAndSaysSo) {
  write_file(project / "CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(none LANGUAGES NONE)\n");
  start();
  EXPECT_TRUE(says("is there a busbar_add_plugin?")) << out();
}

TEST_F(DevServes, NothingWhereNoLibraryIsAPluginAndSaysSo) {
  write_file(project / "src/number.c", "int number;\n");
  start();
  EXPECT_TRUE(says("none of the project's libraries is a plugin")) << out();
}

TEST_F(DevServes, NotWithAConfigurationThatNoHostTakesAndSaysSo) {
  start({"--config", project / "nowhere.toml"});
  EXPECT_TRUE(says("the host has ended with exit status ")) << out();
  EXPECT_THAT(dev_->err(), HasSubstr("nowhere.toml"));
}

TEST_F(Dev, IsForPeopleOnTheirOwnMachine) {
  const Ended json = ended_with({"--json", "dev", project});
  EXPECT_EQ(json.status, 2);
  EXPECT_THAT(json.out, HasSubstr("what \\\"dev\\\" shows is for people"));
  EXPECT_EQ(ended_with({"--connect", "tcp://127.0.0.1:7100", "dev", project}).status, 2);
}

TEST_F(Dev, TellsHowItIsUsed) {
  const Ended help = ended_with({"dev", "--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* part : {"DIR", "--config FILE", "busbar dev --config busbar.toml --run-dir /tmp/dev"})
    EXPECT_THAT(help.out, HasSubstr(part));
}

}  // namespace
}  // namespace busbar::system_tests
