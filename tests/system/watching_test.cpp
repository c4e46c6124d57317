// The plugin directory is watched: what tools do to it ends in the right set of services, each library loaded once.
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Watching : public SystemTest {
 protected:
  void start(const std::string& watch = "auto") {
    host.configure("[plugins]\nwatch = \"" + watch + "\"\n");
    host.add("good");
    host.start();
    generation_ = host.plugin("good.so")["generation"];
  }
  /// Without anybody having asked for it.
  bool comes_to_serve(const char* file, const char* version) {
    return eventually([&] {
      const Json row = host.plugin(file);
      return !row.is_null() && row["version"] == version && row["state"] == "serving";
    });
  }
  /// Builds with sanitizers keep every image.
  bool goes(const char* file) {
    return eventually([&] {
      const Json row = host.plugin(file);
      return row.is_null() || row["state"] == "retired";
    });
  }
  /// Once, and without a look at half of it.
  void expect_next_version(int others = 0) {
    EXPECT_TRUE(comes_to_serve("good.so", "2.0.0")) << host.log();
    EXPECT_LE(host.plugin("good.so")["generation"], generation_ + others + 1) << host.log();
    EXPECT_EQ(host.plugin("good.so")["reason"], "");
    EXPECT_THAT(host.log(), Not(HasSubstr("could not be")));
    EXPECT_EQ(host.call("good").status, 0);
  }
  void run_tool(std::vector<std::string> arguments) {
    const Ended ended = run({.arguments = std::move(arguments), .variables = {}, .scratch = host.root()});
    ASSERT_EQ(ended.status, 0) << ended.err;
  }
  fs::path target() const { return host.plugins() / "good.so"; }
  static std::string next() { return tested::plugin("good_again"); }

  int generation_ = 0;
};

TEST_F(Watching, WhatIsMovedInServesAndWhatIsTakenAwayIsGone) {
  start();
  host.add("echo");
  EXPECT_TRUE(eventually([&] { return host.call("echo", 1).status == 0; }));
  fs::remove(host.plugins() / "echo.so");
  EXPECT_TRUE(goes("echo.so"));
  EXPECT_EQ(host.call("echo", 1).status, 3);
  EXPECT_EQ(host.call("good").status, 0);
}

TEST_F(Watching, ByMv) {
  start();
  fs::copy_file(next(), host.root() / "next.so");
  run_tool({"mv", host.root() / "next.so", target()});
  expect_next_version();
}

TEST_F(Watching, ByCpOverIt) {
  start();
  run_tool({"cp", next(), target()});
  expect_next_version();
}

TEST_F(Watching, ByInstall) {
  start();
  run_tool({"install", "-m", "0755", next(), target()});
  expect_next_version();
}

TEST_F(Watching, BySymlinksThatAreReplaced) {
  start();
  run_tool({"ln", "-sfn", next(), target()});
  expect_next_version();
}

TEST_F(Watching, ByRsync) {
  start();
  run_tool({"rsync", "-a", next(), target()});
  expect_next_version();
}

TEST_F(Watching, ByRsyncInPlace) {
  start();
  run_tool({"rsync", "-a", "--inplace", next(), target()});
  expect_next_version();
}

// In pieces of 4 KiB, with pauses.
TEST_F(Watching, BySomebodyWhoTakesTime) {
  start();
  const std::string bytes = read_file(next());
  std::ofstream file(target(), std::ios::binary | std::ios::trunc);
  for (std::size_t at = 0; at < bytes.size(); at += 4096) {
    file.write(bytes.data() + at, static_cast<std::streamsize>(std::min<std::size_t>(4096, bytes.size() - at)));
    file.flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // that is what is tested
  }
  file.close();
  expect_next_version();
}

class LinkedInPlace : public Watching, public ::testing::WithParamInterface<const char*> {};

TEST_P(LinkedInPlace, ByALinker) {
  if (under_any_sanitizer()) GTEST_SKIP() << "what is linked here is not built with the sanitizer";
  start();
  const fs::path object = host.root() / "next.o";
  run_tool({"cc", "-c", "-fPIC", "-fvisibility=hidden", "-DFIXTURE_NAME=\"good\"",
            std::string("-I") + BUSBAR_SDK_INCLUDE, "-o", object, BUSBAR_GOOD_AGAIN});
  run_tool({"cc", "-shared", std::string("-fuse-ld=") + GetParam(), "-o", target(), object});
  expect_next_version();
}

INSTANTIATE_TEST_SUITE_P(By, LinkedInPlace, ::testing::Values("bfd", "gold", "lld"),
                         [](const auto& linker) { return std::string(linker.param); });

TEST_F(Watching, ATouchAndAnIdenticalBuildAreNoChange) {
  start();
  run_tool({"touch", target()});
  run_tool({"chmod", "0700", target()});
  host.add("good");  // the same bytes in a new file
  host.add("echo");
  ASSERT_TRUE(eventually([&] { return host.call("echo", 1).status == 0; }));
  run_tool({"touch", "-d", "1 hour ago", target()});
  host.add("greeter");
  ASSERT_TRUE(eventually([&] { return host.call("greet", {{"name", "Ada"}}).status == 0; }));
  EXPECT_EQ(host.ask({"rescan"}).status, 0);
  EXPECT_EQ(host.plugin("good.so")["generation"], generation_);
}

TEST_F(Watching, ADirectoryThatIsReplaced) {
  start();
  const fs::path made = host.root() / "made";
  fs::create_directory(made);
  fs::copy_file(next(), made / "good.so");
  fs::copy_file(tested::plugin("echo"), made / "echo.so");
  fs::rename(host.plugins(), host.root() / "before");
  fs::rename(made, host.plugins());
  expect_next_version(1);
  EXPECT_TRUE(eventually([&] { return host.call("echo", 1).status == 0; }));
  fs::remove(host.plugins() / "echo.so");
  EXPECT_TRUE(goes("echo.so")) << "it is watched from then on";
}

TEST_F(Watching, TenThousandEventsAreOneChange) {
  start();
  {
    const std::string bytes = read_file(next());
    std::ofstream other(host.plugins() / "noise.so.part", std::ios::binary);
    std::ofstream file(target(), std::ios::binary | std::ios::trunc);
    for (std::size_t i = 0; i < 10'000; ++i) {
      const std::size_t from = bytes.size() * i / 10'000, to = bytes.size() * (i + 1) / 10'000;
      file.write(bytes.data() + from, static_cast<std::streamsize>(to - from)).flush();
      other.write("x", 1).flush();
    }
  }
  expect_next_version();
}

TEST_F(Watching, TwoHundredFilesAtOnce) {
  start();
  const std::string bytes = read_file(tested::plugin("numbered"));
  const int files = under_any_sanitizer() ? 40 : 200;  // each trial is a process, which takes its time there
  for (int i = 0; i < files; ++i) {
    std::string number = std::to_string(1000 + i).substr(1);
    std::string mine = bytes;
    for (std::size_t at = mine.find("numbered_000"); at != std::string::npos; at = mine.find("numbered_000", at + 1)) {
      mine.replace(at, 12, "numbered_" + number);
    }
    if (i != 0) {
      ASSERT_EQ(mine.find("numbered_000"), std::string::npos);
    }
    write_file(host.root() / "made", mine);
    fs::rename(host.root() / "made", host.plugins() / ("n" + number + ".so"));
  }
  EXPECT_TRUE(eventually([&] {
    const Json counts = host.ask({"status"}).json["plugins"];
    return counts["serving"] == files + 1;
  })) << host.ask({"status"}).json["plugins"];
  EXPECT_EQ(host.call("numbered_039").status, 0);
  int newest = 0;
  for (const Json& row : host.plugin_rows()) newest = std::max(newest, row["generation"].get<int>());
  EXPECT_EQ(newest, files + 1) << "each is loaded once";
}

TEST_F(Watching, AFileThatIsNotWholeIsSaidToBeSoAfterAWhileAndTakenWhenItIs) {
  start();
  const std::string bytes = read_file(next());
  write_file(host.root() / "half", bytes.substr(0, bytes.size() / 2));
  fs::rename(host.root() / "half", target());
  EXPECT_TRUE(eventually([&] { return host.plugin("good.so")["reason"] != ""; }));
  EXPECT_THAT(host.plugin("good.so")["reason"].get<std::string>(), HasSubstr("its newer file could not be taken"));
  EXPECT_EQ(host.call("good").status, 0);
  std::ofstream(target(), std::ios::binary | std::ios::app) << bytes.substr(bytes.size() / 2);
  EXPECT_TRUE(comes_to_serve("good.so", "2.0.0"));
}

TEST_F(Watching, PollingSeesTheSame) {
  start("poll");
  EXPECT_EQ(host.ask({"status"}).json["watch"]["mode"], "poll");
  fs::copy_file(next(), target(), fs::copy_options::overwrite_existing);
  expect_next_version();
  fs::remove(target());
  EXPECT_TRUE(goes("good.so"));
}

TEST_F(Watching, StatusSaysHow) {
  start("inotify");
  EXPECT_EQ(host.ask({"status"}).json["watch"]["mode"], "inotify");
  EXPECT_THAT(host.busbar({"status"}).out, HasSubstr("inotify"));
}

}  // namespace
}  // namespace busbar::system_tests
