#include "http/give_way.hpp"

#include <linux/sched/types.h>  // not beside <sched.h>, which has a sched_param, too
#include <sys/syscall.h>
#include <unistd.h>

namespace busbar::host {

// Being nice is not enough: since Linux 6.6 who wakes up waits until the slice of who runs is over. Since 6.12 a thread
// may have short ones; older kernels do not look at that wish. Whoever was nicer before stays so.
void give_way() noexcept {
  constexpr int kNice = 10;
  sched_attr wish{};
  if (::syscall(SYS_sched_getattr, 0, &wish, sizeof wish, 0) != 0) return;
  if (wish.sched_nice < kNice) wish.sched_nice = kNice;
  wish.sched_runtime = 100'000;  // ns, the least that is taken
  ::syscall(SYS_sched_setattr, 0, &wish, 0);
}

}  // namespace busbar::host
