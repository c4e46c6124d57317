// Plugins whose file is replaced again and again, and what else happens to it, while callers call all the time: from
// the node that has the plugin, and from others.
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

#include "system/support/callers.hpp"
#include "system/support/raw_client.hpp"
#include "system/support/tested_build.hpp"
#include "system/support/version_callers.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kFile = "versioned.so";

// Each reload is a process and the load of a library, which sanitizers make slow. tools/soak.sh wants more of them.
int reloads() {
  if (under_any_sanitizer()) return 10;
  const char* wanted = std::getenv("BUSBAR_RELOADS");
  return wanted == nullptr ? 100 : std::max(40, std::stoi(wanted));  // of fewer nothing can be told
}
int rounds_of_abuse() { return under_any_sanitizer() ? 5 : reloads() / 10; }

// An arena that malloc begins to use late is two mappings more. Twenty reloads have seen all threads at work, so that
// one or two may come at most; an image that is left behind is five, each time.
constexpr long kLateHeaps = 4;

fs::path file_of(std::int64_t version) { return tested::plugin(version == 1 ? "versioned" : "versioned_newer"); }

// What a process holds.
struct Footprint {
  long resident_kib = 0;
  long mappings = 0;
  long descriptors = 0;
  long threads = 0;
};

std::ostream& operator<<(std::ostream& out, const Footprint& of) {
  return out << of.resident_kib << " KiB resident, " << of.mappings << " mappings, " << of.descriptors
             << " descriptors, " << of.threads << " threads";
}

long entries(const fs::path& directory) {
  return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
}

Footprint footprint_of(pid_t pid) {
  const fs::path proc = "/proc/" + std::to_string(pid);
  const std::string status = read_file(proc / "status");
  const std::string maps = read_file(proc / "maps");
  return {std::stol(status.substr(status.find("VmRSS:") + 6)), std::count(maps.begin(), maps.end(), '\n'),
          entries(proc / "fd"), entries(proc / "task")};
}

// The files of a directory that are mapped into a process.
std::set<std::string> mapped_from(const fs::path& directory, pid_t pid) {
  std::set<std::string> files;
  std::istringstream maps(read_file("/proc/" + std::to_string(pid) + "/maps"));
  for (std::string line; std::getline(maps, line);) {
    const auto at = line.find(directory.string() + "/");
    if (at != std::string::npos) files.insert(line.substr(at));
  }
  return files;
}

std::set<std::string> libraries_in(const fs::path& directory) {
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".so") files.insert(entry.path());
  }
  return files;
}

class Reloading : public ClusterTest {
 protected:
  void SetUp() override {
    TestHost& a = cluster.make("a");
    a.add("versioned");
    // As many threads as it will ever have, as one that comes later would look like one that was left behind.
    a.variables = {{"BUSBAR_POOL__THREADS", "4"},
                   {"BUSBAR_POOL__MAX_THREADS", "4"},
                   {"BUSBAR_PLUGINS__TRIAL_TIMEOUT", "60s"}};  // busy machines are slow with sanitizers
    cluster.start("a");
    cluster.add("b");
    node = join(cluster, milliseconds(std::chrono::minutes(1)));
    ASSERT_TRUE(cluster.wait_until_offered("version_slowly", {"a"}));
    ASSERT_TRUE(eventually([&] { return providers(*node, "version_slowly") == std::vector<std::string>{"a"}; }));
    pid = host().process().pid();
    asking.emplace(host().socket());
    for (const char* service : {"version", "version", "version_inline", "version_slowly"}) {
      callers.add_at(host().socket(), service);
    }
    for (const char* service : {"version", "version_slowly"}) callers.add_at(cluster["b"].socket(), service);
    for (const char* service : {"version", "version_inline"}) callers.add_at(*node, service);
    ASSERT_TRUE(callers.wait_for_another_call_each()) << what_went_wrong();
  }
  void TearDown() override {
    callers.stop();
    asking.reset();
    node.reset();
    ClusterTest::TearDown();
  }

  TestHost& host() const { return cluster["a"]; }
  fs::path target() const { return host().plugins() / kFile; }

  // The newest generation's row, of all the rows of the file.
  Json row() {
    Json newest;
    for (const Json& row : rows()) {
      if (newest.is_null() || row.at("generation") > newest.at("generation")) newest = row;
    }
    return newest;
  }
  Json rows() {
    wire::AdminRequest request;
    request.verb = wire::admin_verb::kPlugins;
    asking->send(wire::frame_of(request));
    return cbor::to_json(asking->receive().value().document.value()).at("plugins");
  }
  bool comes_to_be(const std::function<bool(const Json&)>& right) {
    return eventually([&] { return right(row()); });
  }
  bool alone() {
    return eventually([&] { return rows().size() == 1; });
  }

  // Nobody asks the host to look.
  void move_in(std::int64_t next) {
    fs::copy_file(file_of(next), host().root() / "next.so", fs::copy_options::overwrite_existing);
    callers.expect(next);
    fs::rename(host().root() / "next.so", target());
    version = next;
  }
  std::int64_t other_version() const { return version == 1 ? 2 : 1; }
  void expect_served() {
    ASSERT_TRUE(callers.wait_until_all_are_served()) << what_went_wrong();
    const std::string said = std::to_string(version) + ".0.0";
    ASSERT_TRUE(comes_to_be([&](const Json& row) { return row["version"] == said && row["state"] == "serving"; }))
        << what_went_wrong();
    EXPECT_EQ(row()["reason"], "");
  }
  std::string what_went_wrong() {
    std::ostringstream out;
    for (const auto& failure : callers.tally().failures) out << failure << "\n";
    out << rows().dump(2) << "\n" << host().log();
    return out.str();
  }
  // Each call was answered once, by one of the two versions.
  void expect_no_call_was_lost() {
    const auto tally = callers.stop();
    EXPECT_THAT(tally.failures, IsEmpty());
    EXPECT_EQ(tally.answers, tally.calls);
    std::uint64_t answered = tally.unavailable;
    for (const auto& [by, count] : tally.by) answered += by == 1 || by == 2 ? count : 0;
    EXPECT_EQ(answered, tally.calls);
    EXPECT_EQ(host().process().pid(), pid);
    EXPECT_TRUE(host().process().running());
    std::cout << tally.calls << " calls, answered by version 1: " << tally.by.at(1) << ", by 2: " << tally.by.at(2)
              << ", unavailable: " << tally.unavailable << "\n";
  }

  std::unique_ptr<Node> node;
  std::optional<RawClient> asking;  // one connection for all questions, as each is a descriptor of the host
  std::int64_t version = 1;
  VersionCallers callers{version};
  pid_t pid = -1;
};

class ManyReloads : public Reloading {
 protected:
  // When nothing of older generations is left.
  Footprint footprint() {
    EXPECT_TRUE(alone()) << what_went_wrong();
    return footprint_of(pid);
  }
  void expect_nothing_left_behind(const Footprint& first) {
    const Footprint last = footprint();
    std::cout << "after a fifth of " << reloads() << " reloads: " << first << "\nafter all of them: " << last << "\n";
    EXPECT_LE(last.resident_kib, std::max(first.resident_kib + 2048, first.resident_kib * 105 / 100));
    EXPECT_LE(last.mappings, first.mappings + kLateHeaps);
    EXPECT_LE(last.descriptors, first.descriptors);
    EXPECT_LE(last.threads, first.threads);
    const auto images = mapped_from(host().cache(), pid);
    EXPECT_EQ(images.size(), 1) << testing::PrintToString(images);
    EXPECT_EQ(images, libraries_in(host().cache())) << "the copy that serves, and no other";
  }
};

TEST_F(ManyReloads, UnderEightCallersLoseNoCallServeNothingOldAndLeaveNothingBehind) {
  const int fifth = std::max(20, reloads() / 5);
  std::optional<Footprint> first;
  for (int i = 1; i <= reloads(); ++i) {
    move_in(other_version());
    expect_served();
    if (HasFatalFailure()) return;
    if (i == fifth) first = footprint();
  }
  EXPECT_EQ(row()["generation"], reloads() + 1) << "each file is loaded once";
  if (!under_any_sanitizer()) expect_nothing_left_behind(first.value());  // builds with sanitizers keep every image
  expect_no_call_was_lost();
}

class AbuseUnderLoad : public Reloading {
 protected:
  void run_tool(std::vector<std::string> arguments) {
    const Ended ended = run({.arguments = std::move(arguments), .variables = {}, .scratch = host().root()});
    ASSERT_EQ(ended.status, 0) << ended.err;
  }
  ino_t inode() const {
    struct stat facts {};
    EXPECT_EQ(::stat(target().c_str(), &facts), 0);
    return facts.st_ino;
  }
  bool has_reason(const std::string& part) {
    return comes_to_be(
        [&](const Json& row) { return row["reason"].get<std::string>().find(part) != std::string::npos; });
  }
  // The file that serves is back, and nothing is said against it any more.
  void restore() {
    run_tool({"cp", file_of(version), target()});
    ASSERT_TRUE(comes_to_be([](const Json& row) { return row["reason"] == ""; })) << what_went_wrong();
    ASSERT_TRUE(callers.wait_for_another_call_each()) << what_went_wrong();
  }

  void overwrite_in_place(bool truncated_first) {
    const ino_t before = inode();
    callers.expect(version = other_version());
    if (truncated_first) {
      run_tool({"cp", file_of(version), target()});
    } else {
      run_tool({"dd", "if=" + file_of(version).string(), "of=" + target().string(), "conv=notrunc", "status=none"});
      fs::resize_file(target(), fs::file_size(file_of(version)));
    }
    EXPECT_EQ(inode(), before);
    expect_served();
  }
  // Before anybody could think that it is gone for good; that takes half a second.
  void delete_and_put_back() {
    fs::copy_file(file_of(version), host().root() / "again.so", fs::copy_options::overwrite_existing);
    const auto unavailable = callers.tally().unavailable;
    callers.may_be_unavailable(true);  // if this machine takes its time
    const auto begun = steady_clock::now();
    fs::remove(target());
    ASSERT_TRUE(callers.wait_for_another_call_each()) << what_went_wrong();
    fs::rename(host().root() / "again.so", target());
    const bool was_quick = steady_clock::now() - begun < milliseconds(300);
    callers.expect(version);
    ASSERT_TRUE(callers.wait_until_all_are_served()) << what_went_wrong();
    callers.may_be_unavailable(false);
    if (was_quick) {
      EXPECT_EQ(callers.tally().unavailable, unavailable);
    }
  }
  // Until it is withdrawn, which callers may notice, and only they: as service_unavailable.
  void delete_for_long_and_put_back_another() {
    callers.may_be_unavailable(true);
    fs::remove(target());
    ASSERT_TRUE(callers.wait_until_unavailable_to_all()) << what_went_wrong();
    move_in(other_version());
    expect_served();
    callers.may_be_unavailable(false);
  }
  void cut_short(bool until_it_is_said) {
    fs::resize_file(target(), fs::file_size(target()) / 2);
    if (until_it_is_said) {
      ASSERT_TRUE(has_reason("its newer file could not be taken")) << what_went_wrong();
    }
    ASSERT_TRUE(callers.wait_for_another_call_each()) << what_went_wrong();
    restore();
  }
  void fill_with_rubbish() {
    write_file(target(), std::string(fs::file_size(target()), 'x'));
    ASSERT_TRUE(has_reason("its newer file could not be taken")) << what_went_wrong();
    ASSERT_TRUE(callers.wait_for_another_call_each()) << what_went_wrong();
    restore();
  }
  // It is another file then, of the same version.
  void strip() {
    const auto size = fs::file_size(target());
    const Json before = row();
    run_tool({"strip", target()});
    ASSERT_LT(fs::file_size(target()), size);
    ASSERT_TRUE(comes_to_be([&](const Json& row) { return row["generation"] > before["generation"]; }))
        << what_went_wrong();
    EXPECT_EQ(row()["version"], before["version"]);
    ASSERT_TRUE(callers.wait_for_another_call_each()) << what_went_wrong();
  }
  void round(int number) {
    const std::vector<std::function<void()>> steps = {[&] { overwrite_in_place(number % 2 == 0); },
                                                      [&] { delete_and_put_back(); },
                                                      [&] { cut_short(number == 0); },  // that takes some seconds
                                                      [&] { fill_with_rubbish(); },
                                                      [&] { strip(); },
                                                      [&] { delete_for_long_and_put_back_another(); }};
    for (std::size_t i = 0; i < steps.size(); ++i) {
      SCOPED_TRACE("round " + std::to_string(number) + ", step " + std::to_string(i));
      steps[i]();
      if (HasFatalFailure()) return;
    }
  }
};

TEST_F(AbuseUnderLoad, OfTheFileThatIsLoadedFailsNoCallAndEndsInTheRightVersion) {
  for (int i = 0; i < rounds_of_abuse() && !HasFatalFailure(); ++i) round(i);
  if (HasFatalFailure()) return;
  move_in(other_version());
  expect_served();
  expect_no_call_was_lost();
}

}  // namespace
}  // namespace busbar::system_tests
