#include "config/config.hpp"

#include <sched.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace busbar::host {

namespace {

/// The CPUs that this process may run on, which a container or `taskset` makes fewer than the machine has.
unsigned usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > 0 ? static_cast<unsigned>(count) : 1;
}

std::string read_host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : std::string();
}

}  // namespace

Environment Environment::of_this_process() {
  Environment environment;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  environment.host_name = read_host_name();
  environment.root = ::geteuid() == 0;
  environment.cores = usable_cores();
  environment.directory = std::filesystem::current_path();
  return environment;
}

}  // namespace busbar::host
