// Hosts that are stopped in order and started again, one after the other, while callers call on.
#include <signal.h>

#include <array>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "system/support/callers.hpp"

namespace busbar::system_tests {
namespace {

using std::chrono::milliseconds;

constexpr std::array<const char*, 3> kHosts{"a", "b", "c"};
constexpr int kNone = -1;
constexpr int kRounds = 2;  // bench/rolling_restart.sh makes as many as one likes
constexpr int kCallers = 16;

/// Which host a call may be forwarded to: the one that is about to stop is not chosen any more.
class Choice {
 public:
  int begin(int wanted) {
    for (;;) {
      const int host = wanted++ % static_cast<int>(kHosts.size());
      ++under_way_[host];
      if (host != barred_) return host;
      --under_way_[host];
    }
  }
  void end(int host) { --under_way_[host]; }
  /// Returns when nothing that was to run there is under way.
  bool bar(int host) {
    barred_ = host;
    return host == kNone || eventually([&] { return under_way_[host] == 0; });
  }

 private:
  std::atomic<int> barred_{kNone};
  std::array<std::atomic<int>, kHosts.size()> under_way_{};
};

/// Threads that call without end, each of them services of its own kind. Stopped by `stop`.
class MixedCallers {
 public:
  explicit MixedCallers(Node& node) : node_(node) {
    for (int i = 0; i < kCallers; ++i) threads_.emplace_back([this, i] { call_on(i); });
  }
  ~MixedCallers() { stop(); }
  MixedCallers(const MixedCallers&) = delete;
  MixedCallers& operator=(const MixedCallers&) = delete;

  void stop() {
    stopped_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  std::uint64_t succeeded() const { return succeeded_; }
  bool wait_for_more(std::uint64_t calls) const {
    const auto wanted = succeeded_ + calls;
    return eventually([&] { return succeeded_ >= wanted; });
  }
  std::vector<std::string> failures() const {
    const MutexLock lock(mutex_);
    return failures_;
  }
  Choice choice;

 private:
  void call_on(int number) {
    for (int i = number; !stopped_; ++i) {
      switch (number % 6) {
        case 0:
          note(call("counted_inline", 0));
          break;
        case 1:
          note(call("counted", 0));
          break;
        case 2:
          note(call("counted", 20 + i % 31));
          break;
        case 3: {
          const int host = choice.begin(i);
          note(call("counted_at", i % 21, kHosts[host]));
          choice.end(host);
          break;
        }
        case 4:
          note(call("counted_nested", i % 31));
          break;
        default:
          note(call("counted_later", i % 31));
      }
    }
  }
  Response call(const char* service, int ms, const std::string& node = {}) {
    return node_.dispatch(message_of(service, {{"ms", ms}, {"node", node}}), kLimit).response();
  }
  void note(const Response& response) {
    if (response.succeeded()) {
      ++succeeded_;
      return;
    }
    const MutexLock lock(mutex_);
    failures_.push_back(std::string(response.error_code()) + " " + std::string(response.bad_rpc_kind()) + ": " +
                        std::string(response.text()) + response.value().to_json().dump());
  }

  Node& node_;
  std::atomic<std::uint64_t> succeeded_{0};
  std::atomic<bool> stopped_{false};
  mutable Mutex mutex_;
  std::vector<std::string> failures_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

/// How many calls it had handled, by what it said when it stopped.
std::uint64_t handled_by(const std::string& said) {
  constexpr std::string_view kBefore = "handled ";
  const auto found = said.find(kBefore);
  if (found == std::string::npos) throw std::runtime_error("it does not say how many: " + said);
  return std::stoull(said.substr(found + kBefore.size()));
}

class RollingRestart : public ClusterTest {
 protected:
  void SetUp() override {
    for (const char* name : kHosts) cluster.add(name, {"counted"});
    node = join(cluster, milliseconds(std::chrono::minutes(1)));
    ASSERT_TRUE(all_know_all());
  }
  bool all_know_all() {
    const std::vector<std::string> all(kHosts.begin(), kHosts.end());
    return cluster.wait_until_offered("counted", all) && eventually([&] { return providers(*node, "counted") == all; });
  }
  void restart(int host, MixedCallers& callers) {
    const char* name = kHosts[host];
    ASSERT_TRUE(callers.choice.bar(host));
    handled_there += handled_by(cluster[name].stop().err);
    ASSERT_TRUE(callers.wait_for_more(kCallers)) << "the others serve on";
    cluster.start(name);
    ASSERT_TRUE(all_know_all());
    ASSERT_TRUE(callers.choice.bar(kNone));
    ASSERT_TRUE(callers.wait_for_more(100));
  }

  std::unique_ptr<Node> node;
  std::uint64_t handled_there = 0;  // by those that have been stopped
};

TEST_F(RollingRestart, C_G4_C_D18_OfThreeHostsUnderSixteenCallersLosesNoCallAndStartsNoneTwice) {
  MixedCallers callers(*node);
  ASSERT_TRUE(callers.wait_for_more(100));
  for (int round = 0; round < kRounds; ++round) {
    for (int host = 0; host < static_cast<int>(kHosts.size()); ++host) {
      restart(host, callers);
      if (HasFatalFailure()) return;
    }
  }
  callers.stop();
  EXPECT_THAT(callers.failures(), testing::IsEmpty());
  node->stop();
  for (const char* name : kHosts) handled_there += handled_by(cluster[name].stop().err);
  EXPECT_EQ(handled_there, callers.succeeded());
}

}  // namespace
}  // namespace busbar::system_tests
