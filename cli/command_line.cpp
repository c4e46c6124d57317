#include "command_line.hpp"

#include <busbar/cbor/text.hpp>
#include <busbar/names.hpp>
#include <busbar/trace.hpp>
#include <busbar/wire/event_names.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string_view>

#include "complete.hpp"
#include "duration.hpp"
#include "schema_text.hpp"
#include "similar.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

// What a host answers to others too; the rest concerns its own machine.
constexpr std::array<std::string_view, 8> kCallerVerbs = {"call",     "validate", "authorized", "discover",
                                                          "services", "describe", "nodes",      "bench"};

// Which host, and how it is asked.
constexpr std::array<const char*, 5> kHostOptions = {"--run-dir", "--connect", "--cluster", "--key", "--host-key"};

constexpr std::array<std::string_view, 6> kLogLevels = {"trace", "debug", "info", "warn", "error", "default"};

// What is checked, and what shells offer.
constexpr std::array<std::string_view, 3> kActions = {"check", "show", "reload"};
constexpr std::array<std::string_view, 2> kStrategies = {"random", "least_pending"};
constexpr std::array<std::string_view, 3> kVisibilities = {"all", "public", "private"};
constexpr std::array<std::string_view, 3> kRoles = {"client", "deployer", "node"};
constexpr std::array<std::string_view, 3> kDryRuns = {"no", "yes", "verbose"};

constexpr const char* kFooter = R"(
Exit status:
  0  ok, created, yes          4  timeout
  1  error                     5  validation_error, missing_id
  2  usage, or no valid JSON   6  forbidden, not authorized
  3  service unavailable       7  no host answers

Examples:
  busbar services
  busbar call greet '{"name": "Ada"}'
  busbar call greet @request.json --timeout 500 --json
  busbar --connect tcp://10.0.0.7:7100 nodes
  busbar new my-plugin
  busbar dev my-plugin

"busbar VERB --help" tells more of each verb.)";

constexpr const char* kCallFooter = R"(
With --explain, and where the call has timed out, a table follows the answer: for each hop how long it took, was on the
wire, queued, running and deferred (its handler had returned, and somebody was still to answer), and what of that was
its own rather than spent waiting for the hops below it. What of a call still goes on is shown as well.

Examples:
  busbar call greet '{"name": "Ada"}'
  echo '{"name": "Ada"}' | busbar call greet -
  busbar call import @rows.json --timeout 60000 --assign 'user="ada"'
  busbar call transfer @transfer.json --dry-run=verbose --json
  busbar call greet '{"name": "Ada"}' --node warehouse-2
  busbar call transfer @transfer.json --explain
  busbar call forecast '{"town": "Graz"}' --sticky Graz)";

constexpr const char* kValidateFooter = R"(
Answers what the real call would answer, as far as the service can tell without doing it.

Example:
  busbar validate transfer @transfer.json)";

constexpr const char* kAuthorizedFooter = R"(
Asks the service's router only; the service itself is not called. Exits with 0 for yes, 6 for no, 3 if nobody offers
the service.

Example:
  busbar authorized transfer @transfer.json && echo allowed)";

constexpr const char* kDiscoverFooter = R"(
Exits with 3 if nobody offers the service. "local" is the host that was asked.

Example:
  busbar discover greet --json)";

constexpr const char* kServicesFooter = R"(
Example:
  busbar services --json | jq -r '.services[].name')";

constexpr const char* kDescribeFooter = R"(
Shows the fields of its requests and answers, as far as the plugin says them, and a call that works. With --json
they are JSON Schemas (2020-12). Exits with 3 if nobody offers the service. The answer may come from another host, which
offers it.

Example:
  busbar describe greet --json)";

constexpr const char* kNodesFooter = R"(
States: self (the host that was asked), joining (it is being greeted), up, suspect (nothing was heard of it for a
while: others are asked first), unreachable (known, but not connected), lost (gone without a goodbye within the last ten
minutes, with the reason).

With --views every node is asked how it sees the others, and told is who does not see whom, since when and why, who has
an older record of whom, and who was lost by all. Exits with 1 if they differ, or one is lost.

Examples:
  busbar nodes --json | jq -r '.nodes[] | select(.state == "unreachable").name'
  busbar nodes --views)";

constexpr const char* kPluginsFooter = R"(
States: loading, serving, draining (replaced, its last calls run), stuck (draining for too long), retired (ended, but its
library stays mapped), failed (could not be used; the reason is shown), unloaded (by hand).

Example:
  busbar plugins --json | jq '.plugins[] | select(.state == "failed")')";

constexpr const char* kStatusFooter = R"(
The only verb that does not wait for the host's first scan of its plugin directory.

Example:
  until busbar status --json | jq -e .ready; do sleep 0.1; done)";

constexpr const char* kRescanFooter = R"(
The host watches the directory anyway. Returns when the scan is over; a file of which a version that was replaced still
ends its calls has to wait for that. Says what was loaded, replaced, unloaded, kept as its
newer file is refused, or refused meanwhile, and shows all plugins as they are then.

Example:
  install greeter.so /usr/lib/busbar/plugins/ && busbar rescan)";

constexpr const char* kCallsFooter = R"(
What the host serves, and what it waits for from other nodes, the oldest first. States: queued (waits its turn), running,
deferred (its handler has returned, and somebody holds its reply handle), sent (to another node). Calls of inline services
are over in no time, and are not shown.

Example:
  busbar calls --json | jq '.calls[] | select(.age_ms > 1000)')";

constexpr const char* kTrailFooter = R"(
Of a call that has ended, or goes on: its correlation id stands in its answer, in the log and in the events. What hosts have
kept is told: of calls whose trace was sampled (as by call --explain), and of those that took a sixteenth of their time or
more. Ask the host that the first of them came to: each asks those that it has sent a part to.

Examples:
  busbar trail bq1wBBdYVbCRnIbqtJmI2A
  busbar trail -- -VbCRnIbqtJmI2Abq1wBBd      # an id that begins with a dash)";

constexpr const char* kLoadFooter = R"(
Tries the file, takes it into service, and only then puts it into the plugin directory, in the place of one of that name:
what cannot be used changes nothing. Exits with 1 if it is refused.

Example:
  busbar load build/greeter.so)";

constexpr const char* kUnloadFooter = R"(
NAME is the plugin's, or that of its file. Its services are gone when this returns; calls that run there go on to their
end. The file stays where it is, and is not loaded again, also after a restart, until it is another one or "busbar reload"
says so.

Example:
  busbar unload greeter)";

constexpr const char* kReloadFooter = R"(
NAME is the plugin's, or that of its file. Loads the file from the plugin directory again, also where it has not changed;
and where it was unloaded, rolled back or quarantined, ends that.

Example:
  busbar reload greeter)";

constexpr const char* kRollbackFooter = R"(
NAME is the plugin's, or that of its file. The version that served before takes the place of the one that serves, also
after a restart, until the file in the plugin directory is another one or "busbar reload" says so.

Example:
  busbar rollback greeter)";

constexpr const char* kBenchFooter = R"(
Calls the service for real, again and again: what a call does is done each time. --dry-run has it done without its effects,
where the service can do that.

With --rate a call is due at a fixed time, whatever became of those before, and how long it took counts from when it was
due: calls that had to wait for a caller, or for a host that stood still, are charged with that. Without it each caller calls
again when it is answered; then a host that stands still is asked less meanwhile, and the times flatter it.

A call that failed, or was given up, counts with the time that it took. Ctrl-C ends it early and tells what was measured; exit
status 1 where calls failed.

Examples:
  busbar bench greet '{"name": "Ada"}' --callers 16
  busbar bench greet '{"name": "Ada"}' --rate 1000/s --duration 30s --json | jq .latency.p99_us)";

constexpr const char* kTopFooter = R"(
Shows what goes on at the host, in the time since the look before: its services with their calls and errors a second, and
what half and 99 % of the calls took at most, then the nodes and plugins. Keys: r, p, e and n sort the services by rate, p99,
errors or name; q ends it. A host that has gone is waited for.

With --once, with --json, or where there is no terminal, it shows one interval and ends.

Examples:
  busbar top
  busbar top --interval 5s --json | jq '.services[] | select(.errors_per_s > 0).service')";

constexpr const char* kLogLevelFooter = R"(
Without arguments it shows from which level on the host and its plugins log. LEVEL is trace, debug, info, warn or error, or
default: as the configuration says. PART is one of those that are shown, or what several begin with before a dot: host,
plugin. Of the parts that are named the longest counts. Without PART it is the level of all for which nothing else is said;
"log-level default" takes back whatever was set. What was set is gone when the host ends. Exits with 1 if there is no such
part.

Examples:
  busbar log-level debug
  busbar log-level plugin.greeter trace
  busbar log-level plugin.greeter default)";

constexpr const char* kEventsFooter = R"(
Shows the last 1,000 events of the host, oldest first: its calls, its plugins, the nodes that come and go. With --json
each is one JSON document on a line. --follow goes on with those that come until it is interrupted (exit status 0) or
the host stops (7). It never holds up the host: where it is too slow it misses events, and says how many.

Examples:
  busbar events --service greet
  busbar events --follow --json | jq -c 'select(.event == "service_responded" and .duration_us > 100000)'
  busbar events --follow --event plugin_failed --event node_left)";

constexpr const char* kCheckFooter = R"(
Nothing of the files is run, and no host is needed. Exits with 1 if any of them would be refused.

Of two files that are one plugin by their name, or offer one service both, the first is taken for the older and the
second for the newer version: then it says what has changed for callers, and exits with 1 if that would break any, 2
if they cannot be compared. A file that does not list its services is then loaded, by a process of its own.

Examples:
  busbar check build/plugins/*.so
  busbar check /usr/lib/busbar/plugins/greeter.so build/plugins/greeter.so)";

constexpr const char* kConfigFooter = R"(
check reads FILE (default: /etc/busbar/busbar.toml, where there is one) and the variables BUSBAR_SECTION__KEY of this
environment, as a host would, and says all that is wrong. No host is needed.

show tells what the host runs with, and where each value comes from; and whether its file says something else by now. What is
in the tables [plugin.NAME] is hidden, as there may be passwords, unless --secrets asks for it.

reload has the host read its file again. All of it is checked first: where anything is wrong, nothing changes. Says what has
changed, which keys wait for a restart, and which plugins have to be reloaded. SIGHUP does the same.

Exits with 1 where anything is wrong.

Examples:
  busbar config check busbar.toml
  busbar config show --json | jq -r '.keys[] | select(.source != "default") | .key'
  busbar config reload)";

constexpr const char* kDoctorFooter = R"(
Looks at the configuration, keys, directories, limits, ports, the clock, seeds and peers, and at the plugins of a host that
runs. Each check is ok, a warning or a problem, with what was found, what was expected, and what to do. Where a host
answers, it is that one which is judged, with its own configuration; else one that would be started with FILE (default:
/etc/busbar/busbar.toml, where there is one) and this environment. Run it as the user who runs the host. It changes nothing.

Exits with 1 if there is a problem.

Examples:
  busbar doctor
  busbar doctor --config busbar.toml --json | jq '.checks[] | select(.state != "ok")')";

constexpr const char* kNewFooter = R"(
Writes DIR/NAME: a plugin with two services, their test and a README; it builds, passes and loads as it is. No host is
needed, and what is there already is never touched. Its services are called as the plugin, in small letters, and with _ for
what their names cannot have.

Example:
  busbar new my-plugin && cat my-plugin/README.md)";

constexpr const char* kDevFooter = R"(
Builds the CMake project in DIR, as "busbar new" writes one, in DIR/build/dev, and serves the plugins that come from it with
a host of its own, whose directories are gone at the end. Every save is built, and what has become another is loaded in
place of what serves, without losing a call. Where a build fails its errors are shown, and what was built before goes on.
The host's log and its calls are shown as well. Ctrl-C ends it, with exit status 0.

At first the project is configured for debuggers (CMAKE_BUILD_TYPE=Debug); what you say to CMake about DIR/build/dev stays.

Examples:
  busbar new my-plugin && busbar dev my-plugin
  busbar dev --config busbar.toml --run-dir /tmp/dev)";

constexpr const char* kKeygenFooter = R"(
Writes NAME.key, the private key, which nobody but its owner may read, and NAME.pub, the public one. Who holds the first
is let in by every host that has the second in its security.authorized directory, as NAME and in the role that the file
says. A node's name is that of its host. What is there already is never touched: a second key for the same name has a
--label.

Roles: client (may call services), deployer (a client that may also change plugins), node (a host: it may announce
services and forward calls).

Examples:
  busbar keygen warehouse-1 --role node --directory /etc/busbar/keys
  busbar keygen ada
  busbar keygen warehouse-1 --role node --label 2027)";

void add_service(CLI::App& verb, Command& command) {
  verb.add_option("SERVICE", command.service, "the service's name")->type_name("")->required();
}

void add_plugin(CLI::App& verb, Command& command) {
  verb.add_option("NAME", command.plugin, "the plugin's name, or its file's")->type_name("")->required();
}

void add_request(CLI::App& verb, Command& command) {
  add_service(verb, command);
  verb.add_option("JSON", command.request,
                  "the request: JSON, @FILE to read it from a file, - from standard input; {} if it is left out")
      ->type_name("");
  verb.add_option("--timeout", command.timeout_ms,
                  "milliseconds that the whole call may take, 1 to " + std::to_string(kMaxTimeoutMs) +
                      " (default: as the service says, else " + std::to_string(kUsualTimeoutMs) + ")")
      ->option_text("MS");
  verb.add_option("--assign", command.assigns, "a value for those who handle the call; may be given several times")
      ->option_text("KEY=JSON")
      ->allow_extra_args(false);
}

void add_dry_run(CLI::App& verb, Command& command) {
  verb.add_flag("--dry-run", command.dry_run,
                "have the service do all but the effects; with =verbose its events are shown")
      ->option_text("[=verbose]");
}

void add_interval(CLI::App& verb, std::chrono::milliseconds& interval) {
  const auto read = [&interval](const std::string& text) {
    const auto duration = read_duration(text);
    if (!duration || duration->count() < 100) {
      throw CLI::ValidationError("--interval",
                                 "expected " + std::string(kDurationRule) + ", 100ms to 24h, found " + in_quotes(text));
    }
    interval = *duration;
  };
  verb.add_option_function<std::string>("--interval", read, "from one look to the next (default: 1s)")
      ->option_text("TIME");
}

CLI::App& add_verb(CLI::App& app, const char* name, const char* description, const char* footer) {
  CLI::App& verb = *app.add_subcommand(name, description);
  verb.footer(footer);
  return verb;
}

void add_verbs(CLI::App& app, Command& command) {
  CLI::App& call = add_verb(app, "call", "Call a service and show its answer", kCallFooter);
  add_request(call, command);
  add_dry_run(call, command);
  call.add_option("--node", command.node, "the node that must serve the call (default: anybody who offers the service)")
      ->option_text("NAME");
  call.add_option(
          "--strategy", command.strategy,
          "how one of several other nodes is picked: random, or least_pending, which is the one with the fewest "
          "calls of the host under way (default: as the service says, else random)")
      ->option_text("NAME");
  call.add_option("--sticky", command.sticky_key, "calls with the same key go to the same node, as long as it is there")
      ->option_text("KEY");
  call.add_flag("--explain", command.explain, "show where the time went: hop by hop, nested calls included");
  call.add_option("--traceparent", command.traceparent, "the W3C trace that the call belongs to")->option_text("TEXT");
  CLI::App& bench = add_verb(app, "bench", "Measure how long calls of a service take", kBenchFooter);
  add_request(bench, command);
  add_dry_run(bench, command);
  bench
      .add_option("--node", command.node,
                  "the node that must serve the calls (default: anybody who offers the service)")
      ->option_text("NAME");
  add_bench_options(bench, command.bench);
  CLI::App& validate = add_verb(app, "validate", "Ask what a call would answer, without its effects", kValidateFooter);
  add_request(validate, command);
  add_dry_run(validate, command);
  add_request(add_verb(app, "authorized", "Ask whether a call would be authorized", kAuthorizedFooter), command);
  add_service(add_verb(app, "discover", "Show who offers a service", kDiscoverFooter), command);
  add_verb(app, "services", "List the services", kServicesFooter)
      .add_option("--visibility", command.visibility, "which: public, private, or all (the default)")
      ->option_text("WHICH");
  add_service(add_verb(app, "describe", "Tell what a service is and who offers it", kDescribeFooter), command);
  CLI::App& nodes = add_verb(app, "nodes", "List the hosts of the cluster", kNodesFooter);
  CLI::Option* views = nodes.add_flag("--views", command.views, "compare how each of them sees the others");
  nodes
      .add_option("--timeout", command.timeout_ms,
                  "with --views: milliseconds that asking them may take, 1 to " + std::to_string(kMaxTimeoutMs) +
                      " (default: " + std::to_string(kUsualTimeoutMs) + ")")
      ->option_text("MS")
      ->needs(views);
  add_verb(app, "plugins", "List the host's plugins", kPluginsFooter);
  add_verb(app, "status", "Show how the host is", kStatusFooter);
  add_verb(app, "rescan", "Have the host scan its plugin directory now", kRescanFooter);
  add_verb(app, "calls", "Show the calls that go on at the host", kCallsFooter);
  add_verb(app, "trail", "Show where the time of a call went, hop by hop", kTrailFooter)
      .add_option("CORRELATION_ID", command.correlation_id, "of the call, and of all that it has caused")
      ->type_name("")
      ->required();
  add_verb(app, "load", "Have the host take a plugin file into service", kLoadFooter)
      .add_option("FILE", command.plugin, "the plugin's library")
      ->type_name("")
      ->required();
  add_plugin(add_verb(app, "unload", "Take a plugin out of service", kUnloadFooter), command);
  add_plugin(add_verb(app, "reload", "Load a plugin's file again", kReloadFooter), command);
  add_plugin(add_verb(app, "rollback", "Go back to the version of a plugin before", kRollbackFooter), command);
  CLI::App& top = add_verb(app, "top", "Watch what goes on at the host", kTopFooter);
  add_interval(top, command.interval);
  top.add_flag("--once", command.once, "show one interval, without the full screen");

  add_verb(app, "log-level", "Show or change what the host logs", kLogLevelFooter)
      .add_option("LEVEL", command.log_level, "the level; or a part of the host, and its level")
      ->type_name("")
      ->option_text("[[PART] LEVEL]")
      ->expected(0, 2);
  CLI::App& events = add_verb(app, "events", "Show what has happened at the host", kEventsFooter);
  events.add_flag("--follow,-f", command.follow, "go on with events that come");
  events.add_option("--service", command.service, "only events of calls of this service")->option_text("NAME");
  events.add_option("--event", command.event_kinds, "only this kind of event; may be given several times")
      ->option_text("KIND")
      ->allow_extra_args(false);
  add_verb(app, "check", "Say whether a host would take plugin files, and what a new version would break", kCheckFooter)
      .add_option("FILE", command.files, "plugin libraries; or an older and a newer version of one")
      ->type_name("")
      ->required();
  CLI::App& config = add_verb(app, "config", "Check, show or reload a host's configuration", kConfigFooter);
  config.add_option("ACTION", command.action, "check, show or reload")->type_name("")->required();
  config.add_option("FILE", command.config, "check: the file")->type_name("");
  config.add_flag("--secrets", command.secrets, "show: also what plugins' own tables say");
  add_verb(app, "doctor", "Say what is wrong with a host or its machine, and what to do", kDoctorFooter)
      .add_option("--config", command.config, "the configuration file, where no host runs")
      ->option_text("FILE");
  CLI::App& new_project = add_verb(app, "new", "Write a plugin project to begin with", kNewFooter);
  new_project.add_option("NAME", command.plugin, "the plugin's name")->type_name("")->required();
  new_project.add_option("--directory", command.directory, "where to make it (default: here)")->option_text("DIR");
  CLI::App& dev = add_verb(app, "dev", "Build and serve a plugin project, again at every save", kDevFooter);
  dev.add_option("DIR", command.directory, "the project's directory (default: here)")->type_name("");
  dev.add_option("--config", command.config, "the host's configuration file (default: none)")->option_text("FILE");
  CLI::App& keygen = add_verb(app, "keygen", "Make a pair of keys for a host, or for who calls one", kKeygenFooter);
  keygen.add_option("NAME", command.owner, "whose key it is")->type_name("")->required();
  keygen.add_option("--role", command.role, "what its owner may do: client (the default), deployer, node")
      ->option_text("ROLE");
  keygen.add_option("--directory", command.directory, "where to write the files (default: here)")->option_text("DIR");
  keygen.add_option("--label", command.label, "write NAME.TEXT.key and NAME.TEXT.pub, beside another key of that name")
      ->option_text("TEXT");
}

/// CLI11's word for what is wrong, in our style.
std::string lower_case_start(std::string text) {
  if (text.size() > 1 && text[1] >= 'a' && text[1] <= 'z' && text[0] >= 'A' && text[0] <= 'Z') {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  while (text.ends_with('.') || text.ends_with('\n')) text.pop_back();
  return text;
}

std::string names_of_verbs(const CLI::App& app) {
  std::string names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + verb->get_name();
  }
  return names;
}

[[noreturn]] void refuse(const CLI::App& app, const std::string& what) {
  const auto chosen = app.get_subcommands();
  const std::string verb = chosen.empty() ? std::string() : " " + chosen.front()->get_name();
  throw usage_failure("could not read the command line: " + what, "busbar" + verb + " --help tells what is expected");
}

/// The first argument that is no option and no option's value, where no verb was found.
std::string found_instead_of_verb(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (std::find(kHostOptions.begin(), kHostOptions.end(), arguments[i]) != kHostOptions.end()) {
      ++i;
    } else if (!arguments[i].starts_with('-')) {
      return arguments[i];
    }
  }
  return {};
}

void parse(CLI::App& app, const std::vector<std::string>& arguments) {
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    throw Printout{chosen.empty() ? app.help() : chosen.front()->help("busbar")};
  } catch (const CLI::CallForVersion&) {
    throw Printout{"busbar " BUSBAR_VERSION "\n"};
  } catch (const CLI::ParseError& error) {
    if (!app.get_subcommands().empty()) refuse(app, printable(lower_case_start(error.what())));
    const std::string found = found_instead_of_verb(arguments);
    if (found.empty() && error.get_exit_code() != static_cast<int>(CLI::ExitCodes::RequiredError)) {
      refuse(app, printable(lower_case_start(error.what())));
    }
    refuse(app, (found.empty() ? std::string("no verb") : "unknown verb " + in_quotes(found)) + ", expected one of " +
                    names_of_verbs(app));
  }
}

void check_choice(const CLI::App& app, const char* option, const std::string& value,
                  std::span<const std::string_view> choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  std::string list;
  for (const std::string_view known : choices) list += (list.empty() ? "" : ", ") + std::string(known);
  refuse(app, std::string(option) + ": expected one of " + list + ", found " + in_quotes(value));
}

Choices choices() {
  const auto all = [](std::span<const std::string_view> known) {
    return std::vector<std::string_view>(known.begin(), known.end());
  };
  return {{"ACTION", all(kActions)}, {"--strategy", all(kStrategies)}, {"--visibility", all(kVisibilities)},
          {"--role", all(kRoles)},   {"LEVEL", all(kLogLevels)},       {"--event", all(wire::kEventNames)}};
}

/// Whether it may be an address; who connects to it finds out the rest.
bool is_address(std::string_view address) {
  const bool tcp = address.starts_with("tcp://");
  if (!tcp && !address.starts_with("ipc://")) return false;
  const std::string_view rest = address.substr(6);
  const std::size_t colon = rest.rfind(':');
  if (!tcp) return !rest.empty();
  if (colon == 0 || colon == std::string_view::npos) return false;
  unsigned port = 0;
  const auto [end, error] = std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
  return error == std::errc() && end == rest.data() + rest.size() && port >= 1 && port <= 65'535;
}

void check_connect(const CLI::App& app, const Command& command) {
  const bool connects = app.count("--connect") != 0;
  for (const char* option : {"--cluster", "--key", "--host-key"}) {
    if (app.count(option) != 0 && !connects) refuse(app, std::string(option) + ": expected together with --connect");
  }
  if (command.key.empty() != command.host_key.empty()) {
    refuse(app, "--key and --host-key: expected both, or none");
  }
  if (!is_node_name(command.cluster)) {
    refuse(app, "--cluster: expected " + std::string(kNodeNameRule) + ", found " + in_quotes(command.cluster));
  }
  if (!connects) return;
  if (app.count("--run-dir") != 0) refuse(app, "--connect and --run-dir: expected one of them, found both");
  if (!is_address(command.connect)) {
    refuse(app, "--connect: expected tcp://HOST:PORT or ipc://PATH, found " + in_quotes(command.connect));
  }
  const std::string verb = app.get_subcommands().front()->get_name();
  if (std::find(kCallerVerbs.begin(), kCallerVerbs.end(), verb) != kCallerVerbs.end()) return;
  std::string list;
  for (const std::string_view known : kCallerVerbs) list += (list.empty() ? "" : ", ") + std::string(known);
  refuse(app, "--connect: a host answers " + in_quotes(verb) +
                  " only on its own machine (leave --connect out there), expected one of " + list);
}

// Three ways to say which node serves the call.
void check_choice_of_node(const CLI::App& app, const CLI::App& verb, Command& command) {
  const auto given = [&](const char* option) {
    const auto* found = verb.get_option_no_throw(option);
    return found != nullptr && found->count() != 0;
  };
  if (given("--node") + given("--strategy") + given("--sticky") > 1) {
    refuse(app, "--node, --strategy and --sticky: expected one of them, found more");
  }
  if (given("--node") && !is_node_name(command.node)) {
    refuse(app, "--node: expected " + std::string(kNodeNameRule) + ", found " + in_quotes(command.node));
  }
  if (given("--strategy")) check_choice(app, "--strategy", command.strategy, kStrategies);
  if (given("--traceparent") && !TraceParent::parse(command.traceparent)) {
    refuse(app,
           "--traceparent: expected 00-, 32 hexadecimal digits, -, 16, -, 2, in small letters, as W3C Trace Context "
           "has it, found " +
               in_quotes(command.traceparent));
  }
  if (!given("--sticky")) return;
  const std::string& key = command.sticky_key;
  if (key.empty()) refuse(app, "--sticky: expected a key, found \"\"");
  if (!cbor::detail::is_utf8(key.data(), key.size())) refuse(app, "--sticky: the key is not valid UTF-8");
  command.strategy = "sticky";
}

void check_event_kinds(const CLI::App& app, const Command& command) {
  for (const std::string& kind : command.event_kinds) {
    if (std::find(wire::kEventNames.begin(), wire::kEventNames.end(), kind) != wire::kEventNames.end()) continue;
    std::string list;
    for (const std::string_view known : wire::kEventNames) list += (list.empty() ? "" : ", ") + std::string(known);
    refuse(app, "--event: expected one of " + list + ", found " + in_quotes(kind));
  }
}

void check_log_level(const CLI::App& app, const Command& command) {
  if (command.log_level.empty()) return;
  const std::string& level = command.log_level.back();
  if (std::find(kLogLevels.begin(), kLogLevels.end(), level) != kLogLevels.end()) return;
  const auto nearest = std::min_element(kLogLevels.begin(), kLogLevels.end(), [&](auto one, auto other) {
    return distance(level, one) < distance(level, other);
  });
  std::string list;
  for (const std::string_view known : kLogLevels) list += (list.empty() ? "" : ", ") + std::string(known);
  refuse(app, "the level: expected one of " + list + ", found " + in_quotes(level) +
                  "; nearest: " + in_quotes(std::string(*nearest)));
}

void check_keygen(const CLI::App& app, const Command& command) {
  if (!command.owner.empty() && !is_node_name(command.owner)) {
    refuse(app, "the owner's name: expected " + std::string(kNodeNameRule) + ", found " + in_quotes(command.owner));
  }
  if (!command.label.empty() && !is_plugin_name(command.label)) {
    refuse(app, "--label: expected " + std::string(kPluginNameRule) + ", found " + in_quotes(command.label));
  }
}

void check_config(const CLI::App& app, const Command& command) {
  if (!app.got_subcommand("config")) return;
  check_choice(app, "ACTION", command.action, kActions);
  if (!command.config.empty() && command.action != "check") {
    refuse(app, command.action + ": expected no file, found " + in_quotes(command.config) +
                    "; the host reads the file that it was started with");
  }
  if (command.secrets && command.action != "show") refuse(app, "--secrets: expected with \"show\" alone");
}

void check(const CLI::App& app, Command& command) {
  const CLI::App& verb = *app.get_subcommands().front();
  const auto* service = verb.get_option_no_throw("SERVICE");
  if (service == nullptr) service = verb.get_option_no_throw("--service");
  if (service != nullptr && service->count() != 0 && !is_service_name(command.service)) {
    refuse(app,
           "the service's name: expected " + std::string(kServiceNameRule) + ", found " + in_quotes(command.service));
  }
  if (command.timeout_ms && (*command.timeout_ms == 0 || *command.timeout_ms > kMaxTimeoutMs)) {
    refuse(app, "--timeout: expected 1 to " + std::to_string(kMaxTimeoutMs) + " (milliseconds), found " +
                    std::to_string(*command.timeout_ms));
  }
  check_choice_of_node(app, verb, command);
  check_event_kinds(app, command);
  check_log_level(app, command);
  check_choice(app, "--dry-run", command.dry_run, kDryRuns);
  check_choice(app, "--visibility", command.visibility, kVisibilities);
  check_choice(app, "--role", command.role, kRoles);
  check_keygen(app, command);
  check_config(app, command);
}

}  // namespace

std::filesystem::path default_run_dir(const Variables& variables) {
  const char* base = variables("XDG_RUNTIME_DIR");
  const bool usable = base != nullptr && base[0] == '/';  // the specification has others ignored
  return std::filesystem::path(usable ? base : "/run") / "busbar";
}

bool wants_json(const std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

Command parse_command_line(std::vector<std::string> arguments, const Variables& variables) {
  Command command;
  std::string run_dir;
  CLI::App app("Calls services of a Busbar host and of its cluster, and shows what they have.", "busbar");
  app.footer(kFooter);
  app.fallthrough();  // what stands here may come behind the verb as well
  app.require_subcommand(1);
  app.set_version_flag("--version", "busbar " BUSBAR_VERSION);
  app.add_option("--run-dir", run_dir, "the host's run directory (default: $XDG_RUNTIME_DIR/busbar, else /run/busbar)")
      ->option_text("DIR");
  app.add_option("--connect", command.connect,
                 "talk to the host that is called at tcp://HOST:PORT or ipc://PATH, instead of this machine's")
      ->option_text("ADDR");
  app.add_option("--cluster", command.cluster, "with --connect: the cluster that the host belongs to (default: busbar)")
      ->option_text("NAME");
  app.add_option("--key", command.key,
                 "with --connect, where the host asks for keys: your private key, as \"busbar keygen\" writes it")
      ->option_text("FILE");
  app.add_option("--host-key", command.host_key, "with --key: the public key of the host")->option_text("FILE");
  app.add_flag("--json", command.json, "write one JSON document, also for errors");
  add_verbs(app, command);
  if (!arguments.empty() && arguments.front() == "--complete") {  // of the scripts in completion/
    throw Printout{completions(app, choices(), {arguments.begin() + 1, arguments.end()})};
  }
  parse(app, arguments);
  if (command.dry_run == "true") command.dry_run = "yes";  // what CLI11 gives a flag without a value
  check(app, command);
  check_connect(app, command);
  if (command.json && app.got_subcommand("dev")) refuse(app, "--json: what \"dev\" shows is for people");
  if (app.count("--run-dir") != 0 && run_dir.empty()) refuse(app, "--run-dir: expected a directory, found \"\"");
  command.verb = app.get_subcommands().front()->get_name();
  for (const char* option : kHostOptions) {
    if (app.count(option) != 0) {
      command.host_options += std::string(option) + " " + shell_word(app.get_option(option)->as<std::string>()) + " ";
    }
  }
  command.is_run_dir_given = !run_dir.empty();
  command.run_dir = run_dir.empty() ? default_run_dir(variables) : std::filesystem::path(run_dir);
  return command;
}

}  // namespace busbar::cli
