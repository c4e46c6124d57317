#include "scheduling/give_way.hpp"

#include <linux/sched.h>
#include <linux/sched/types.h>  // not beside <sched.h>, which has a sched_param, too
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace busbar::host {

namespace {

constexpr int kNice = 10;                         // a tenth of what others get
constexpr std::uint64_t kLongSlice = 10'000'000;  // ns; three times the usual one or more

bool become_batch() noexcept {
  sched_attr wish{};
  if (::syscall(SYS_sched_getattr, 0, &wish, sizeof wish, 0) != 0) return false;
  // Any other has been chosen by somebody who knows why.
  if (wish.sched_policy != SCHED_NORMAL && wish.sched_policy != SCHED_BATCH) return true;
  wish.sched_policy = SCHED_BATCH;
  if (wish.sched_nice < kNice) wish.sched_nice = kNice;
  wish.sched_runtime = kLongSlice;
  return ::syscall(SYS_sched_setattr, 0, &wish, 0) == 0;
}

}  // namespace

// Being nice is not enough: since Linux 6.6 who wakes up waits until the slice of who runs is over, or until its next
// tick, 1 to 4 ms. Since 6.12 who has a shorter slice than that one does not wait. So whoever is to be interrupted has
// a long one; with a short one it would in turn take the processor from others whenever it wakes up, which SCHED_BATCH
// forbids (sched(7)). Not the longest, 100 ms: until 6.17 whoever does not wake up, but has used up its own slice,
// waits for the whole of it. Older kernels do not look at this wish.
void give_way() noexcept {
  if (become_batch()) return;
  // Of a thread, not of its process, whatever its name is (setpriority(2), "C library/kernel differences").
  if (::getpriority(PRIO_PROCESS, 0) < kNice) ::setpriority(PRIO_PROCESS, 0, kNice);
}

}  // namespace busbar::host
