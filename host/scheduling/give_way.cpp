#include "scheduling/give_way.hpp"

#include <linux/sched.h>
#include <linux/sched/types.h>  // not beside <sched.h>, which has a sched_param, too
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace busbar::host {

namespace {

constexpr int kNice = 10;                             // a tenth of what others get
constexpr std::uint64_t kLongestSlice = 100'000'000;  // ns; Linux takes no longer one

}  // namespace

// Being nice is not enough: since Linux 6.6 who wakes up waits until the slice of who runs is over, or until its next
// tick, 1 to 4 ms. Since 6.12 who has a shorter slice than that one does not wait. So whoever is to be interrupted has
// the longest; with the shortest it would in turn take the processor from others whenever it wakes up, which
// SCHED_BATCH forbids (sched(7)). Kernels in between look at neither. Whoever was nicer before stays so.
void give_way() noexcept {
  sched_attr wish{};
  if (::syscall(SYS_sched_getattr, 0, &wish, sizeof wish, 0) != 0) return;
  if (wish.sched_policy != SCHED_NORMAL && wish.sched_policy != SCHED_BATCH) return;  // SCHED_IDLE: it does already
  wish.sched_policy = SCHED_BATCH;
  if (wish.sched_nice < kNice) wish.sched_nice = kNice;
  wish.sched_runtime = kLongestSlice;
  ::syscall(SYS_sched_setattr, 0, &wish, 0);
}

}  // namespace busbar::host
