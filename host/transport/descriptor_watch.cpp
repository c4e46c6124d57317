#include "transport/descriptor_watch.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

namespace busbar::host {

namespace {

bool can_open() noexcept {
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return errno != EMFILE && errno != ENFILE;
  ::close(descriptor);
  return true;
}

}  // namespace

Nanos DescriptorWatch::look(Nanos now) noexcept {
  if (now < due_) return due_;
  due_ = now + kSecond;
  const bool none_left = !can_open();
  if (none_left == none_left_) return due_;
  none_left_ = none_left;
  try {
    tell(none_left);
  } catch (const std::exception&) {
    // No memory: the next change is told.
  }
  return due_;
}

void DescriptorWatch::tell(bool none_left) const {
  if (!none_left) {
    log_.info("descriptors are free again");
    return;
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  log_.error("no descriptors are left: what is open goes on, and whoever connects now has to wait",
             {{"limit", limit.rlim_cur}, {"hint", "raise it: ulimit -n, or LimitNOFILE= of the systemd unit"}});
}

}  // namespace busbar::host
