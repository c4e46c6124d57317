#include "doctor/cgroup.hpp"

#include <algorithm>
#include <fstream>
#include <string>

namespace busbar::host::doctor {

namespace {

template <class Number>
void lower(std::optional<Number>& limit, Number to) {
  limit = limit ? std::min(*limit, to) : to;
}

void take(const std::filesystem::path& group, CgroupLimits& limits) {
  std::ifstream cpu(group / "cpu.max");
  double quota = 0, period = 0;  // "max 100000": no number, no limit
  if (cpu >> quota >> period && period > 0) lower(limits.cpus, quota / period);
  std::ifstream pids(group / "pids.max");
  unsigned long long most = 0;
  if (pids >> most) lower(limits.pids, most);
}

}  // namespace

CgroupLimits limits_of_group(const std::filesystem::path& root, const std::filesystem::path& group) {
  CgroupLimits limits;
  std::filesystem::path at = root;
  take(at, limits);
  for (const auto& part : group.relative_path()) take(at /= part, limits);
  return limits;
}

CgroupLimits cgroup_limits(long pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/cgroup");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("0::")) return limits_of_group("/sys/fs/cgroup", line.substr(3));
  }
  return {};
}

}  // namespace busbar::host::doctor
