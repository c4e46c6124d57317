#include "metrics/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

#include "metrics/families.hpp"

namespace busbar::host {

namespace {

/// Of /proc/self/stat, in its units.
struct Stat {
  double user_ticks = 0, system_ticks = 0, threads = 0, start_ticks = 0, virtual_bytes = 0, resident_pages = 0;
};

std::optional<Stat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');  // a program's name may have any characters
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  const auto skip = [&](int count) {
    for (std::string ignored; count > 0; --count) fields >> ignored;
  };
  Stat stat;
  skip(11);  // from the state, field 3, to field 13
  fields >> stat.user_ticks >> stat.system_ticks;
  skip(4);
  fields >> stat.threads;
  skip(1);
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  return fields ? std::optional(stat) : std::nullopt;
}

/// Seconds since 1970 at which the machine was started; 0: unknown.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

std::optional<double> open_descriptors() {
  std::error_code error;
  double count = -1;  // the one that reads the directory
  for (std::filesystem::directory_iterator each("/proc/self/fd", error), end; !error && each != end;
       each.increment(error)) {
    ++count;
  }
  return error ? std::nullopt : std::optional(count);
}

double allowed_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                         : static_cast<double>(limit.rlim_cur);
}

}  // namespace

MetricFamilies ProcessMetrics::Collect() const {
  MetricFamilies out;
  if (const auto stat = read_stat()) {
    static const double begun =
        std::floor((boot_time() + stat->start_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK))) * 100) / 100;
    const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    out.push_back(counter("process_cpu_seconds_total", "Processor time that was spent, in seconds.",
                          (stat->user_ticks + stat->system_ticks) / per_second));
    out.push_back(gauge("process_resident_memory_bytes", "Memory that is resident, in bytes.",
                        stat->resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE))));
    out.push_back(gauge("process_virtual_memory_bytes", "Memory that is mapped, in bytes.", stat->virtual_bytes));
    out.push_back(gauge("process_start_time_seconds", "When it was started, in seconds since 1970.", begun));
    out.push_back(gauge("process_threads", "Threads that exist.", stat->threads));
  }
  if (const auto open = open_descriptors()) {
    out.push_back(gauge("process_open_fds", "File descriptors that are open.", *open));
  }
  out.push_back(gauge("process_max_fds", "File descriptors that may be open.", allowed_descriptors()));
  return out;
}

}  // namespace busbar::host
