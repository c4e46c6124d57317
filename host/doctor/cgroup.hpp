// What the control group of a process (cgroup v2) allows it.
#pragma once

#include <filesystem>
#include <optional>

namespace busbar::host::doctor {

struct CgroupLimits {
  std::optional<double> cpus;              ///< how many CPUs' time it gets
  std::optional<unsigned long long> pids;  ///< threads, of all its processes
};

/// The least of the group `group` ("/system.slice/busbard.service") and of those it is in, below `root`, where cgroup
/// v2 is mounted. What is not there limits nothing.
CgroupLimits limits_of_group(const std::filesystem::path& root, const std::filesystem::path& group);

/// Of a process that runs; nothing is limited where that cannot be found out.
CgroupLimits cgroup_limits(long pid);

}  // namespace busbar::host::doctor
