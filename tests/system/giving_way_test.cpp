// Which threads and processes of a host let its calls go first.
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;

// A line of /proc (proc_pid_stat(5)).
struct Scheduled {
  int nice = 0;
  int policy = -1;
};

// By name. A thread that ends meanwhile is left out.
struct Thread {
  Scheduled scheduled;
  std::string children;
};
std::map<std::string, Thread> threads_of(const std::string& process) {
  std::map<std::string, Thread> out;
  for (const auto& task : fs::directory_iterator("/proc/" + process + "/task")) {
    std::ifstream in(task.path() / "stat");
    std::string line;
    std::getline(in, line);
    const auto begin = line.find('('), end = line.rfind(')');
    if (end == std::string::npos) continue;
    Thread& thread = out[line.substr(begin + 1, end - begin - 1)];
    std::istringstream rest(line.substr(end + 1));
    std::string field;
    for (int number = 3; rest >> field && number <= 41; ++number) {
      if (number == 19) thread.scheduled.nice = std::stoi(field);
      if (number == 41) thread.scheduled.policy = std::stoi(field);
    }
    std::getline(std::ifstream(task.path() / "children"), thread.children, ' ');
  }
  return out;
}

void expect_behind(const Scheduled& found, const std::string& who) {
  EXPECT_EQ(found.policy, SCHED_BATCH) << who;
  EXPECT_EQ(found.nice, std::max(::getpriority(PRIO_PROCESS, 0), 10)) << who;
}

class GivingWay : public SystemTest {
 protected:
  void SetUp() override {
    if (::sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "this process has another policy than the usual one";
    if (!fs::exists("/proc/thread-self/children")) GTEST_SKIP() << "this kernel does not tell whose child a process is";
  }
};

TEST_F(GivingWay, WhoTriesAPluginOrWritesMetricsIsBehindAndWhoRunsPluginsIsNot) {
  host.configure("[plugins]\ntrial_timeout = \"10m\"\n[http]\nlisten = \"127.0.0.1:0\"\n");
  host.add("behaviours");
  host.start();
  const std::string process = std::to_string(host.process().pid());
  // Only while there is something to be judged; who has joined a thread may still find it there for a moment.
  EXPECT_TRUE(eventually([&] { return threads_of(process).count("busbar-judge") == 0; }));
  host.add("hangs_in_create");
  std::map<std::string, Thread> threads;
  ASSERT_TRUE(eventually([&] {
    threads = threads_of(process);
    return !threads["busbar-judge"].children.empty();
  })) << host.log();
  expect_behind(threads["busbar-judge"].scheduled, "who judges a file");
  expect_behind(threads["busbar-http"].scheduled, "who writes metrics");
  const auto tried = threads_of(threads["busbar-judge"].children);
  ASSERT_EQ(tried.size(), 1U);
  expect_behind(tried.begin()->second.scheduled, "the trial");
  for (const char* name : {"busbar-loader", "busbar-serve", "busbar-pool"}) {
    EXPECT_EQ(threads[name].scheduled.policy, SCHED_OTHER) << name;
    EXPECT_EQ(threads[name].scheduled.nice, ::getpriority(PRIO_PROCESS, 0)) << name;
  }
}

}  // namespace
}  // namespace busbar::system_tests
