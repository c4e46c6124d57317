#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "scheduling/while_giving_way.hpp"

namespace busbar::host {
namespace {

// Of the calling thread.
struct Priority {
  int policy = ::sched_getscheduler(0);
  int nice = ::getpriority(PRIO_PROCESS, 0);
  // How long it may stay on a processor that others want, in ns; 0: the kernel, older than 6.12, does not tell.
  std::uint64_t slice = [] {
    struct {
      std::uint32_t size, policy;
      std::uint64_t flags;
      std::int32_t nice;
      std::uint32_t priority;
      std::uint64_t slice, deadline, period;
    } found{};  // struct sched_attr as it was at first: its header cannot be had beside <sched.h>
    return ::syscall(SYS_sched_getattr, 0, &found, sizeof found, 0) == 0 ? found.slice : 0;
  }();

  bool operator==(const Priority&) const = default;
};

void expect_behind(const Priority& found, const Priority& before) {
  EXPECT_EQ(found.policy, SCHED_BATCH);
  EXPECT_EQ(found.nice, std::max(before.nice, 10));
  if (before.slice != 0) {
    EXPECT_EQ(found.slice, 10'000'000);
  }
}

// What runs these tests may have put them behind others already.
class GiveWay : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "this process has another policy than the usual one";
  }
};
using WhileGivingWay = GiveWay;

TEST_F(GiveWay, IsOfTheThreadAloneAndOfWhatItStarts) {
  const Priority before;
  Priority behind, started;
  int child_policy = -1;
  std::thread([&] {
    give_way();
    behind = Priority();
    std::thread([&] { started = Priority(); }).join();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::sched_getscheduler(0));
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    child_policy = WEXITSTATUS(status);
  }).join();
  expect_behind(behind, before);
  EXPECT_EQ(started, behind);
  EXPECT_EQ(child_policy, SCHED_BATCH);
  EXPECT_EQ(Priority(), before);
}

TEST_F(GiveWay, LeavesThoseAsTheyAreWhoAreFurtherBehind) {
  std::thread([] {
    const int nicer = std::max(15, ::getpriority(PRIO_PROCESS, 0));
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, nicer), 0);
    give_way();
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), nicer);
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
    give_way();
    EXPECT_EQ(::sched_getscheduler(0), SCHED_IDLE);
  }).join();
}

TEST_F(WhileGivingWay, ReturnsWhatTheWorkReturns) {
  const Priority before;
  Priority during;
  const auto caller = std::this_thread::get_id();
  const std::unique_ptr<int> out = while_giving_way("apart", [&] {
    during = Priority();
    std::array<char, 16> name{};
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    EXPECT_STREQ(name.data(), "apart");
    EXPECT_NE(std::this_thread::get_id(), caller);
    return std::make_unique<int>(7);
  });
  EXPECT_EQ(*out, 7);
  expect_behind(during, before);
  EXPECT_EQ(Priority(), before) << "who waits for it stays as it is";
}

TEST_F(WhileGivingWay, ThrowsWhatTheWorkThrows) {
  EXPECT_THROW(while_giving_way("apart", []() -> int { throw std::out_of_range("far"); }), std::out_of_range);
  EXPECT_THROW(while_giving_way("apart", []() -> int { throw std::system_error(1, std::generic_category()); }),
               std::system_error);
}

}  // namespace
}  // namespace busbar::host
