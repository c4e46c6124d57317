#include "daemon/descriptor_limit.hpp"

#include <sys/resource.h>
#include <busbar/registry/net/capacity.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace busbar::host {

DescriptorLimit raise_descriptor_limit(unsigned max_peers, unsigned strangers) {
  DescriptorLimit out;
  out.needed = registry::net::descriptors_for(max_peers, strangers);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    out.allowed = out.needed;  // nobody limits it
    return out;
  }
  const rlim_t wanted = std::min<rlim_t>(out.needed, limit.rlim_max);
  if (limit.rlim_cur < wanted) {
    const rlimit raised{wanted, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  out.allowed = limit.rlim_cur;
  if (out.allowed >= kLeastDescriptors) return out;
  throw std::runtime_error("could not start with " + std::to_string(out.allowed) + " descriptors, expected at least " +
                           std::to_string(kLeastDescriptors) +
                           " (hint: raise the limit with ulimit -n, or LimitNOFILE= of the systemd unit)");
}

}  // namespace busbar::host
