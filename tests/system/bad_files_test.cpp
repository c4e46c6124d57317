// What lies in the plugin directory and cannot be used: a clear reason, and everybody else goes on.
#include <busbar/abi.h>

#include <fstream>

#include "system/support/bad_files.hpp"
#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class BadFiles : public SystemTest {
 protected:
  void SetUp() override {
    host.configure("[plugins]\ntrial_timeout = \"" + std::to_string(seconds_for_trials()) + "s\"\n");
  }
};

void expect_reason(const std::string& text, const BadFile& bad) {
  for (const auto& part : bad.reason) EXPECT_THAT(text, HasSubstr(part)) << bad.file;
}

// The line of the log that says that the file has failed; empty where there is none.
std::string failure_line(const std::string& log, const std::string& file) {
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) {
    if (line.find("plugin failed") != std::string::npos && line.find("file=" + file) != std::string::npos) return line;
  }
  return {};
}

TEST_F(BadFiles, AllAtOnceAreToldWithTheirReasonsWhileTheOthersServe) {
  const auto all = put_bad_files(host.plugins());
  for (const char* good : {"good", "behaviours", "greeter", "echo"}) host.add(good);
  host.start();
  for (const BadFile& bad : all) {
    const Json row = host.plugin(bad.file);
    ASSERT_FALSE(row.is_null()) << bad.file << " is not in the list";
    EXPECT_EQ(row["state"], "failed") << row;
    expect_reason(row["reason"], bad);
    const std::string line = failure_line(host.log(), bad.file);
    EXPECT_FALSE(line.empty()) << bad.file << " is not in the log";
    expect_reason(line, bad);
  }
  for (const char* good : {"good", "behaviours", "greeter", "echo"}) {
    EXPECT_EQ(host.plugin(std::string(good) + ".so")["state"], "serving") << good;
  }
  EXPECT_EQ(host.call("greet", {{"name", "Ada"}}).json["value"], Json({{"text", "Hello, Ada!"}}));
  EXPECT_EQ(host.call("good").status, 0);
  EXPECT_EQ(host.ask({"status"}).json["plugins"]["failed"], all.size());
}

TEST_F(BadFiles, WhatIsNoSoOrBeginsWithADotIsPassedOver) {
  for (const char* name : {"readme.txt", ".hidden.so", "library.so.1", ".so", "so", "copy.so~"}) {
    fs::copy_file(tested::plugin("good"), host.plugins() / name);
  }
  host.add("echo");
  host.start();
  EXPECT_EQ(host.plugin_rows().size(), 1U);
  EXPECT_EQ(host.call("good").status, 3);
}

TEST_F(BadFiles, ASymlinkToAGoodFileIsTaken) {
  fs::create_symlink(tested::plugin("good"), host.plugins() / "link.so");
  host.start();
  EXPECT_EQ(host.plugin("link.so")["state"], "serving");
}

// -- claims

TEST_F(BadFiles, TheSecondPluginThatClaimsAServiceIsRefusedWholeAndBothAreNamed) {
  host.add("good");
  host.add("claims_good", "manifest_tells.so");
  host.add("claims_good_unsaid", "trial_tells.so");
  host.start();
  EXPECT_EQ(host.plugin("good.so")["state"], "serving");
  const std::pair<const char*, const char*> rivals[] = {{"manifest_tells.so", "claims_good"},
                                                        {"trial_tells.so", "claims_good_unsaid"}};
  for (const auto& [file, plugin] : rivals) {
    const Json row = host.plugin(file);
    EXPECT_EQ(row["state"], "failed");
    for (const char* part : {"service \"good\"", "plugin \"good\"", "good.so"}) {
      EXPECT_THAT(row["reason"].get<std::string>(), HasSubstr(part));
    }
    EXPECT_THAT(row["reason"].get<std::string>(), HasSubstr(plugin));
  }
}

TEST_F(BadFiles, OneNameInTwoFilesIsHeldByTheFirstAndTakenWhenThatGoes) {
  host.add("good");
  host.add("good_again");
  host.start();
  EXPECT_EQ(host.plugin("good.so")["state"], "serving");
  EXPECT_EQ(host.plugin("good_again.so")["state"], "failed");
  EXPECT_THAT(host.plugin("good_again.so")["reason"].get<std::string>(), HasSubstr("name \"good\" held by good.so"));

  fs::remove(host.plugins() / "good.so");
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(host.plugin("good_again.so")["state"], "serving");
  EXPECT_EQ(host.call("good").status, 0);
}

TEST_F(BadFiles, AStartThatThrowsFailsThePluginWithItsText) {
  host.configure("[plugin.behaviours]\nthrow = \"no database at port 5432\"\n");
  host.add("behaviours");
  host.add("echo");
  host.start();
  EXPECT_EQ(host.plugin("behaviours.so")["state"], "failed");
  EXPECT_THAT(host.plugin("behaviours.so")["reason"].get<std::string>(), HasSubstr("no database at port 5432"));
  EXPECT_EQ(host.call("sleeps").status, 3);
  EXPECT_EQ(host.plugin("echo.so")["state"], "serving");
}

// -- `busbar check`, which needs no host

TEST_F(BadFiles, CheckRefusesEachThatCanBeToldFromOutside) {
  for (const BadFile& bad : put_bad_files(host.plugins())) {
    if (!bad.seen_from_outside) continue;
    const Answer answer = host.ask({"check", host.plugins() / bad.file});
    EXPECT_EQ(answer.status, 1) << bad.file;
    EXPECT_EQ(answer.json["files"][0]["ok"], false) << bad.file;
    expect_reason(answer.json["files"][0]["problems"].dump(), bad);
    expect_reason(host.busbar({"check", host.plugins() / bad.file}).out, bad);
  }
}

TEST_F(BadFiles, CheckAllowsTheGoodOnesAndListsTheirServices) {
  std::vector<std::string> arguments = {"check"};
  for (const char* good : {"good", "behaviours", "greeter", "echo"}) {
    arguments.push_back(tested::plugin(good));
  }
  const Answer answer = host.ask(arguments);
  ASSERT_EQ(answer.status, 0) << testing::PrintToString(answer);
  ASSERT_EQ(answer.json["files"].size(), 4U);
  for (const Json& file : answer.json["files"]) EXPECT_EQ(file["ok"], true) << file;
  const Json& greeter = answer.json["files"][2];
  EXPECT_EQ(greeter["name"], "greeter");
  EXPECT_EQ(greeter["version"], "1.0.0");
  EXPECT_EQ(greeter["abi"], Json({{"major", 1}, {"minor", BUSBAR_ABI_MINOR}}));
  ASSERT_EQ(greeter["services"].size(), 1U);
  EXPECT_EQ(greeter["services"][0]["name"], "greet");
  EXPECT_EQ(greeter["services"][0]["doc"], "Greets somebody by name.");

  const Ended people = host.busbar(arguments);
  EXPECT_EQ(people.status, 0);
  EXPECT_THAT(people.out, HasSubstr("greet"));
  EXPECT_THAT(people.out, HasSubstr("echo_count"));
}

TEST_F(BadFiles, OneBadFileAmongGoodOnesFailsTheCheck) {
  const Answer answer = host.ask({"check", tested::plugin("good"), tested::plugin("other_abi_major")});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.json["files"][0]["ok"], true);
  EXPECT_EQ(answer.json["files"][1]["ok"], false);
}

TEST_F(BadFiles, CheckTellsWhatWouldForbidUnloading) {
  for (const char* name : {"no_delete", "static_tls", "unique_symbols", "thread_local_destructor"}) {
    const Json file = host.ask({"check", tested::plugin(name)}).json["files"][0];
    EXPECT_FALSE(file["warnings"].empty()) << name;
  }
  EXPECT_EQ(host.ask({"check", tested::plugin("no_delete")}).json["files"][0]["unloadable"], false);
  // A sanitizer brings what keeps a library mapped.
  EXPECT_EQ(host.ask({"check", tested::plugin("good")}).json["files"][0]["unloadable"], !under_any_sanitizer());
}

TEST_F(BadFiles, CheckRunsNoneOfTheFilesCode) {
  const fs::path ran = host.root() / "ran";
  setenv("BUSBAR_TESTS_RAN", ran.c_str(), 1);
  const Answer answer = host.ask({"check", tested::plugin("tells_that_it_runs")});
  EXPECT_EQ(answer.status, 0);
  EXPECT_FALSE(fs::exists(ran));

  // That it would be seen: a host does run it.
  host.add("tells_that_it_runs");
  host.start();
  EXPECT_TRUE(fs::exists(ran));
}

TEST_F(BadFiles, CheckSaysWhichFileIsNotThere) {
  const Ended ended = host.busbar({"check", "/nowhere/at/all.so"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.out, HasSubstr("/nowhere/at/all.so"));
  EXPECT_THAT(ended.out, HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace busbar::system_tests
