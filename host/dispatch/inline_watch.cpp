#include "dispatch/inline_watch.hpp"

#include <sys/resource.h>
#include <time.h>

namespace busbar::host {

InlineRun::Usage InlineRun::read() noexcept {
  timespec processor{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &processor);
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return {static_cast<Nanos>(processor.tv_sec) * kSecond + processor.tv_nsec, usage.ru_nvcsw};
}

bool InlineRun::broke_promise(Nanos wall) noexcept {
  if (wall > kInlineLimit) {
    if (!measured_) return true;
    const Usage now = read();
    if (now.processor - before_.processor > kInlineLimit || now.sleeps != before_.sleeps) return true;
  }
  if (measured_) record_.forgive();
  return false;
}

}  // namespace busbar::host
