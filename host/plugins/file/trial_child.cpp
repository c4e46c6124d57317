#include <fcntl.h>
#include <idle_host.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "plugins/file/elf_file.hpp"
#include "plugins/file/router_check.hpp"
#include "plugins/file/trial.hpp"
#include "scheduling/give_way.hpp"

namespace busbar::host {

namespace {

/// Where the child tells how far it came: one JSON document a line, on a descriptor that the plugin does not know.
class Reporter {
 public:
  /// Takes the standard output for the report, and gives the plugin standard error in its place.
  Reporter() : descriptor_(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)) { dup2(STDERR_FILENO, STDOUT_FILENO); }

  void say(const nlohmann::json& line) const {
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    for (std::size_t written = 0; written < text.size();) {
      const ssize_t count = write(descriptor_, text.data() + written, text.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) _exit(EXIT_FAILURE);  // nobody listens any more
      written += static_cast<std::size_t>(count);
    }
  }

  void stage(const char* name) const { say({{"stage", name}}); }

 private:
  int descriptor_;
};

bool still_mapped(const std::filesystem::path& library) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(library.string()) != std::string::npos) return true;
  }
  return false;
}

nlohmann::json try_library(const std::filesystem::path& path, const Reporter& reporter) {
  const busbar_descriptor descriptor = read_descriptor(path);

  reporter.stage("loading");
  boost::dll::shared_library library = map_library(path);

  reporter.stage("entering");
  const busbar_plugin& plugin = find_plugin(library, descriptor);

  reporter.stage("creating");
  const busbar_host host = busbar_idle_host();
  const busbar_router& router = create_router(plugin, host);

  reporter.stage("listing");
  nlohmann::json result = to_json(read_facts(router));

  reporter.stage("destroying");
  const busbar_router functions = read_router(router);
  functions.destroy(functions.self);

  // Sanitizers keep the library: without its image their reports could name no place in it.
  if (BUSBAR_BUILD_FLAGS == 0) {
    reporter.stage("unloading");
    library.unload();
    result["unmapped"] = !still_mapped(path);
  }
  return result;
}

// A host that is killed leaves no child behind that hangs in a plugin for ever. One that ended before we asked for the
// signal has closed its end of the pipe.
void end_with_the_host() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd report{STDOUT_FILENO, 0, 0};
  if (poll(&report, 1, 0) == 1 && (report.revents & POLLERR) != 0) _exit(EXIT_FAILURE);
}

}  // namespace

void run_trial(const std::filesystem::path& library) {
  end_with_the_host();
  const rlimit no_core{0, 0};  // a plugin that crashes here is an answer, not an accident to be examined
  setrlimit(RLIMIT_CORE, &no_core);
  // Calls come first: on the host's only processor a trial at its priority has tripled their p99 (reload_bench).
  give_way();

  const Reporter reporter;
  try {
    reporter.say(try_library(library, reporter));
  } catch (const std::exception& e) {
    reporter.say({{"refused", e.what()}});
  } catch (...) {
    reporter.say({{"refused", "it threw something that is no exception of the standard library"}});
  }
  // Not exit: what the plugin registered to run at the end has no business here.
  _exit(EXIT_SUCCESS);
}

}  // namespace busbar::host
