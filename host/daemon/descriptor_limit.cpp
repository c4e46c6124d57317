#include "daemon/descriptor_limit.hpp"

#include <sys/resource.h>
#include <busbar/registry/net/capacity.hpp>

#include <algorithm>

namespace busbar::host {

DescriptorLimit raise_descriptor_limit(unsigned max_peers) noexcept {
  DescriptorLimit out;
  out.needed = registry::net::descriptors_for(max_peers);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return out;
  const rlim_t wanted = std::min<rlim_t>(out.needed, limit.rlim_max);
  if (limit.rlim_cur < wanted) {
    const rlimit raised{wanted, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  out.allowed = limit.rlim_cur;
  return out;
}

}  // namespace busbar::host
