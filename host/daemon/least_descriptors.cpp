#include "daemon/least_descriptors.hpp"

#include <sys/resource.h>

#include <stdexcept>
#include <string>

namespace busbar::host {

namespace {

// An idle host has 34; the rest is for the child that tries a plugin, and for the command line.
constexpr rlim_t kLeast = 64;

}  // namespace

void require_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kLeast) return;
  const rlimit raised{kLeast, limit.rlim_max};
  if (limit.rlim_max >= kLeast && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  throw std::runtime_error("could not start with " + std::to_string(limit.rlim_cur) +
                           " descriptors, expected at least " + std::to_string(kLeast) +
                           " (hint: raise the limit with ulimit -n, or LimitNOFILE= of the systemd unit)");
}

}  // namespace busbar::host
