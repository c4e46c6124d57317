// The calling thread as another user, for a while. Only root can become one.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

namespace busbar::testing {

inline constexpr uid_t kNobody = 65'534;
inline constexpr uid_t kSomebody = 12'345;

class AsUser {
 public:
  /// The system call and not its wrapper, which would change all threads.
  explicit AsUser(uid_t user) { ::syscall(SYS_setresuid, -1, user, -1); }
  ~AsUser() { ::syscall(SYS_setresuid, -1, 0, -1); }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
  static bool is_possible() { return ::geteuid() == 0; }
};

}  // namespace busbar::testing
