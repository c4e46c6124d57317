// busbard: a host as a process.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "config/check.hpp"
#include "config/config.hpp"
#include "daemon/crash_report.hpp"
#include "daemon/host.hpp"
#include "daemon/live_keys.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/signals.hpp"
#include "doctor/doctor.hpp"
#include "plugins/file/inspect.hpp"
#include "plugins/file/trial.hpp"
#include "pool/alternate_stack.hpp"

namespace {

using busbar::host::Config;
using busbar::host::ConfigSource;
using busbar::host::Environment;
using busbar::host::Host;
using busbar::host::Logs;
using busbar::host::Override;
using busbar::host::Overrides;
using busbar::host::ServiceManager;
using busbar::host::Signals;

constexpr int kUsageError = 2;
// How much longer than shutdown.timeout a stop may take before the process ends all the same: a plugin's `stop` hangs.
constexpr std::chrono::milliseconds kStopGrace{5'000};
// How long the line that says why the process ends at once may take to be written.
constexpr std::chrono::milliseconds kLastLine{500};
// How much longer than all that the service manager is to wait, so that it never kills in the middle.
constexpr std::chrono::milliseconds kExitMargin{5'000};

struct Arguments {
  std::optional<std::filesystem::path> config_file;
  Overrides overrides;
  bool print_config = false;
  std::vector<std::string> check_files;
  bool check_config = false;
  bool describe_config = false;
  bool doctor = false;
  bool json = false;
  std::string try_plugin;

  /// What the configuration is made of, now and whenever it is read again.
  ConfigSource source() const {
    const auto file = config_file ? std::optional(std::filesystem::absolute(*config_file)) : std::nullopt;
    return {file, Environment::of_this_process(), overrides};
  }
};

void add_setting(CLI::App& app, Arguments& arguments, const std::string& flag, const std::string& key,
                 const std::string& what) {
  app.add_option_function<std::string>(
      flag,
      [&arguments, flag, key](const std::string& value) {
        arguments.overrides.push_back({key, value, flag});
      },
      what);
}

// For a list: the flag may be repeated.
void add_list(CLI::App& app, Arguments& arguments, const std::string& flag, const std::string& key,
              const std::string& what) {
  app.add_option_function<std::vector<std::string>>(
         flag,
         [&arguments, flag, key](const std::vector<std::string>& values) {
           std::string list;
           for (const std::string& value : values) list += (list.empty() ? "" : ",") + value;
           arguments.overrides.push_back({key, list, flag});
         },
         what)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void describe(CLI::App& app, Arguments& arguments) {
  app.set_version_flag("--version", std::string("busbard ") + busbar::host::version());
  app.add_option("--config", arguments.config_file,
                 "Read this TOML file; the busbar.toml that comes with Busbar explains every key")
      ->type_name("FILE");
  add_setting(app, arguments, "--node", "node.name", "This node's name; default: the host name");
  add_setting(app, arguments, "--plugins", "paths.plugins", "The directory whose plugins are loaded");
  add_setting(app, arguments, "--run-dir", "paths.run", "Where the command line finds this host");
  add_setting(app, arguments, "--cache-dir", "paths.cache", "Where private copies of plugins are kept");
  add_setting(app, arguments, "--state-dir", "paths.state",
              "What is kept between runs; the cache by default lies in it");
  add_setting(app, arguments, "--listen", "cluster.listen", "Where other nodes and clients call this one");
  add_setting(app, arguments, "--registry-listen", "cluster.registry_listen", "Where other nodes reach its registry");
  add_setting(app, arguments, "--advertise", "cluster.advertise", "The host that others are told to reach it at");
  add_list(app, arguments, "--join", "cluster.join", "Registry address of a node that knows others; may be repeated");
  add_setting(app, arguments, "--cluster", "cluster.name", "The cluster that this node belongs to");
  app.add_flag_callback(
      "--insecure",
      [&arguments] {
        arguments.overrides.push_back({"cluster.insecure", "true", "--insecure"});
      },
      "Allow addresses that other machines reach, without keys and encryption");
  add_setting(app, arguments, "--security-mode", "security.mode",
              "none, or curve: encrypt, and let only listed keys in");
  add_setting(app, arguments, "--security-key", "security.key", "This node's private key, a file");
  add_setting(app, arguments, "--security-authorized", "security.authorized",
              "The directory of the public keys that are let in");
  add_setting(app, arguments, "--log-level", "log.level", "trace, debug, info, warn or error");
  add_setting(app, arguments, "--log-format", "log.format", "text or json");
  add_setting(app, arguments, "--log-file", "log.file", "Log to this file in place of standard error");
  app.add_flag("--print-config", arguments.print_config, "Print the configuration in effect as JSON, and end");
  // Below: for `busbar check`, `busbar config check`, `busbar doctor`, tools/configuration.py, and for the host itself.
  app.add_option("--check-files", arguments.check_files)->group("");
  app.add_flag("--check-config", arguments.check_config)->group("");
  app.add_flag("--describe-config", arguments.describe_config)->group("");
  app.add_flag("--doctor", arguments.doctor)->group("");
  app.add_flag("--json", arguments.json)->group("");
  app.add_option("--try-plugin", arguments.try_plugin)->group("");
  app.footer(
      "SIGTERM and SIGINT stop the host in order, a second one at once; SIGHUP has the log file opened anew, the "
      "configuration read and the plugin directory looked at again.\nExample: busbard --node a --plugins ./plugins "
      "--run-dir /tmp/a/run --state-dir /tmp/a/state\n"
      "A second node, on the same machine: busbard --node b … --join REGISTRY_ADDRESS_OF_A (busbar status shows it)");
}

// Whether the cluster has refused this node: then the host ends by itself, and not with success.
std::atomic<bool> was_refused{false};

// The last line of a process that ends at once. As any other it waits for nobody who does not read.
void say_at_last(const Logs& logs, std::string_view why) {
  logs.get("host").error(why);
  logs.flush(kLastLine);
}

// Stops the host while this thread goes on listening: a second signal, or a plugin that does not stop, ends it at once.
[[noreturn]] void stop_and_exit(Host& host, const Logs& logs, const Signals& signals) {
  const std::chrono::milliseconds budget = host.config()->shutdown.timeout + kStopGrace;
  std::atomic<bool> done{false};
  std::atomic<bool> clean{true};
  std::thread stopper([&] {
    const busbar::host::AlternateStack stack;
    clean = host.stop().clean;
    done = true;
    kill(getpid(), SIGHUP);  // wakes the thread below; a rescan is not looked for any more
  });
  const auto end = std::chrono::steady_clock::now() + budget;
  while (!done) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      say_at_last(logs, "a plugin does not stop; ending without it");
      break;
    }
    const auto signal = signals.wait_for(left);
    if (signal && *signal != SIGHUP) {
      say_at_last(logs, "second signal; ending at once");
      _exit(1);
    }
  }
  const int status = was_refused ? 1 : 0;
  if (!done || !clean) {
    stopper.detach();
    _exit(status);  // handlers still run: no destructor may
  }
  stopper.join();
  exit(status);
}

// Tells the service manager how the host is, as often as it wants to know, and has the log opened anew, the
// configuration read and the plugin directory looked at where a signal asks for that. Returns when one asks for the
// end.
void wait_for_end(Host& host, const Logs& logs, const Signals& signals, ServiceManager& manager) {
  const auto interval = manager.interval();
  while (true) {
    const std::optional<int> signal = interval ? signals.wait_for(*interval) : std::optional(signals.wait());
    if (!signal) {
      manager.alive(host.stuck_threads(), host.summary());
    } else if (*signal != SIGHUP) {
      return;
    } else {
      manager.reloading();
      logs.reopen();
      host.reload();
      host.rescan([&manager] { manager.reloaded(); });
    }
  }
}

/// The status of what writes to standard output and is done: that of a failure, where not all of it could be written.
int written(int status) {
  std::cout.flush();
  if (std::cout) return status;
  std::cerr << "busbard: could not write to standard output\n";
  return 1;
}

int serve(const Arguments& arguments, const Signals& signals) {
  using namespace busbar::host;
  ConfigSource source = arguments.source();
  const Config config = load_config(source);
  if (arguments.print_config) {
    std::cout << to_json(config).dump(2) << '\n';
    return written(0);
  }
  const Logs logs(config.log);
  report_crashes(logs);
  // Never destroyed, both: `exit` ends the process while nothing of them is used any more.
  auto& manager = *new ServiceManager();
  const auto refused = [](std::string_view) {
    was_refused = true;
    kill(getpid(), SIGTERM);  // as whoever stops it; the reason is in the log
  };
  Host& host = *new Host(config, logs, std::filesystem::read_symlink("/proc/self/exe"), refused, std::move(source));
  host.when_ready([&] { manager.ready(host.summary()); });
  wait_for_end(host, logs, signals, manager);
  manager.stopping(host.config()->shutdown.timeout + kStopGrace + kExitMargin);
  stop_and_exit(host, logs, signals);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Busbar's host: loads the plugins of a directory and serves their services.", "busbard");
  describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? written(0) : kUsageError;
  }
  if (!arguments.try_plugin.empty()) busbar::host::run_trial(arguments.try_plugin);
  if (!arguments.check_files.empty()) {
    return written(busbar::host::check_files(arguments.check_files, arguments.json, std::cout,
                                             std::filesystem::read_symlink("/proc/self/exe")));
  }
  if (arguments.describe_config) {
    std::cout << busbar::host::described_keys().dump(2) << '\n';
    return written(0);
  }
  if (arguments.check_config) return written(busbar::host::check_config(arguments.source(), arguments.json, std::cout));
  if (arguments.doctor)
    return written(busbar::host::doctor::examine(arguments.source(), std::cin, arguments.json, std::cout));
  const Signals signals;
  try {
    return serve(arguments, signals);
  } catch (const busbar::host::ConfigError& error) {
    std::cerr << "busbard: " << error.what() << '\n';
    return kUsageError;
  } catch (const std::exception& error) {
    std::cerr << "busbard: " << error.what() << '\n';
    return 1;
  }
}
