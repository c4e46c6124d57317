// Hosts that have run out of what the kernel gives, while callers are at work on three nodes.
#include <sys/resource.h>

#include <fstream>

#include "system/faults/fault_test.hpp"
#include "system/support/raw_member.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
namespace wire = registry::wire;
using testing::HasSubstr;

// ------------------------------------------------------------------------------------------------------- descriptors

class LastDescriptor : public FaultTest {
 protected:
  /// Only descriptors below a limit may be opened: with this one there is none left.
  static rlim_t lowest_free(pid_t pid) {
    rlim_t number = 0;
    while (fs::is_symlink("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(number))) ++number;
    return number;
  }
  static void limit(pid_t pid, rlim_t most) {
    rlimit limits{};
    ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &limits), 0);
    limits.rlim_cur = most;
    ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &limits, nullptr), 0);
  }
};

TEST_F(LastDescriptor, C_G8_AHostAtItsLastDescriptorServesOnAndTakesWhoCameWhenThereAreMore) {
  for (const char* name : {"a", "b", "c"}) add(name);
  start_callers({"a", "b", "c"});
  const pid_t b = cluster["b"].process().pid();
  limit(b, lowest_free(b));
  add("d");
  EXPECT_TRUE(eventually([&] {
    return know({"d"}, {"a", "c", "d", "callers-a", "callers-b", "callers-c"}, {{"work", {"a", "c", "d"}}});
  }));
  expect_more_calls();
  EXPECT_TRUE(cluster["b"].process().running()) << cluster["b"].log();
  EXPECT_TRUE(eventually([&] { return cluster["b"].log().find("descriptors") != std::string::npos; }))
      << cluster["b"].log();
  limit(b, 1'024);
  expect_healed({{"work", {"a", "b", "c", "d"}}});
}

TEST_F(LastDescriptor, AHostThatMayHaveTooFewDoesNotStartAndSaysWhatToDo) {
  for (const char* most : {"8", "32", "63"}) {
    TestHost host;
    host.launcher = {"prlimit", std::string("--nofile=") + most};
    Process process = host.start_process();
    const auto ended = process.wait();
    ASSERT_TRUE(ended) << most;
    EXPECT_EQ(ended->status, 1) << most << ", signal " << ended->signal;
    EXPECT_THAT(ended->err, HasSubstr(std::string("could not start with ") + most + " descriptors")) << ended->err;
    EXPECT_THAT(ended->err, HasSubstr("ulimit -n"));
  }
}

TEST_F(LastDescriptor, AHostThatMayRaiseItsLimitDoesSoAndServesWithTheLeast) {
  TestHost& host = make("a");
  host.launcher = {"prlimit", "--nofile=16:64"};
  start("a");
  EXPECT_EQ(host.call("work", {{"number", 1}, {"ms", 0}}).status, 0);
}

// -------------------------------------------------------------------------------------------------------------- disk

/// A host whose state directory is a file system of its own, of 32 MiB.
class FullDisk : public FaultTest {
 protected:
  void SetUp() override {
    Command mount;
    mount.arguments = {"unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"};
    const TestHost scratch;
    mount.scratch = scratch.root() / "said";
    const Ended ended = run(mount);
    if (ended.status != 0) GTEST_SKIP() << "a file system cannot be mounted here: " << ended.err;
  }
  /// `first`: a shell command that is run with it as the current directory.
  static void give_small_disk(TestHost& host, const std::string& first = "true") {
    fs::create_directories(host.state());
    host.launcher = {"unshare",
                     "--mount",
                     "sh",
                     "-c",
                     "mount -t tmpfs -o size=32m tmpfs \"$0\" && (cd \"$0\" && " + first + "); exec \"$@\"",
                     host.state()};
  }
  static constexpr const char* kFill = "dd if=/dev/zero of=filler bs=4096 2>/dev/null";
  /// As the host sees it, which has mounted it for itself alone.
  static fs::path disk_of(TestHost& host) {
    return "/proc/" + std::to_string(host.process().pid()) + "/root" + host.state().string();
  }
  static void fill(TestHost& host) {
    std::ofstream out(disk_of(host) / "filler", std::ios::binary);
    const std::string block(4096, '\0');
    while (out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  static void make_room(TestHost& host) { fs::remove(disk_of(host) / "filler"); }
};

TEST_F(FullDisk, AHostThatCannotKeepItsIncarnationDoesNotStartAndSaysWhatToDo) {
  TestHost host;
  give_small_disk(host, kFill);
  const auto refusal = [&](std::vector<std::string> more) {
    Process process = host.start_process(std::move(more));
    const auto ended = process.wait();
    EXPECT_TRUE(ended && ended->status == 1) << process.err();
    return ended ? ended->err : std::string();
  };
  const std::string no_room_for_copies = refusal({});
  EXPECT_THAT(no_room_for_copies, HasSubstr("cache directory \"" + host.cache().string() + "\""));
  EXPECT_THAT(no_room_for_copies, HasSubstr("no space left on device (hint: make room there"));
  const std::string no_room_for_a_number = refusal({"--cache-dir", host.root() / "cache"});
  EXPECT_THAT(no_room_for_a_number, HasSubstr("cannot store this node's incarnation in " + host.state().string()));
  EXPECT_THAT(no_room_for_a_number, HasSubstr("(hint: make room there): No space left on device"));
}

TEST_F(FullDisk, C_G9_AHostWhoseDiskFillsUpServesOnAndSaysWhatItCouldNotKeep) {
  TestHost& a = make("a");
  give_small_disk(a);
  start("a");
  add("b");
  add("c");
  start_callers({"a", "b", "c"});
  fill(a);
  allow("badrpc nodedown");  // of the calls that are under way when its incarnation changes

  a.add("other_worker");
  EXPECT_EQ(a.ask({"rescan"}).status, 0);
  const Json refused = a.plugin("other_worker.so");
  EXPECT_EQ(refused["state"], "failed") << "a private copy of it has no room";
  EXPECT_THAT(refused["reason"].get<std::string>(), HasSubstr("o space left on device"));

  {
    RawMember raw("raw", cluster.seed());
    raw.hello();
    while (raw.heard<wire::Hello>().record.name != "a") {  // the others say it, too, as a has told of it
    }
    raw.answer(
        wire::Refused{.code = wire::kRefusedStaleIncarnation, .text = "known", .incarnation = 9'000'000'000'000'000});
    EXPECT_TRUE(eventually([&] { return a.log().find("the incarnation is not stored") != std::string::npos; }));
  }
  EXPECT_THAT(a.log(), HasSubstr("o space left on device"));
  EXPECT_THAT(a.log(), HasSubstr((a.state() / "incarnation").string()));
  expect_healed({{"work", {"a", "b", "c"}}});

  make_room(a);
  EXPECT_EQ(a.ask({"rescan"}).status, 0);
  EXPECT_EQ(a.plugin("other_worker.so")["state"], "serving") << a.plugin("other_worker.so");
  expect_healed({{"work", {"a", "b", "c"}}, {"other_work", {"a"}}});
}

}  // namespace
}  // namespace busbar::system_tests
