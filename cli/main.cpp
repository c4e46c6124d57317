// The command line `busbar`.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <new>

#include "admin_client.hpp"
#include "bench/admin_pipe.hpp"
#include "bench/plane_pipe.hpp"
#include "bench/verb.hpp"
#include "call_client.hpp"
#include "check.hpp"
#include "command_line.hpp"
#include "config.hpp"
#include "dev/verb.hpp"
#include "doctor.hpp"
#include "events.hpp"
#include "follow.hpp"
#include "keygen.hpp"
#include "new/verb.hpp"
#include "top/verb.hpp"
#include "verbs.hpp"

namespace {

using namespace busbar::cli;

const char* variable(const char* name) { return std::getenv(name); }

/// Whether it is a terminal that does more than to show text.
bool is_terminal(int fd) {
  const char* terminal = variable("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return ::isatty(fd) == 1 && !dumb;
}

/// On a terminal only, and not where the user wants none (no-color.org).
bool coloured(int fd) {
  const char* no_colour = variable("NO_COLOR");
  return is_terminal(fd) && (no_colour == nullptr || *no_colour == '\0');
}

CallClientOptions connection_of(const Command& command) {
  return {.address = command.connect, .cluster = command.cluster, .keys = read_keys(command)};
}

std::unique_ptr<HostClient> client_for(const Command& command) {
  if (command.connect.empty()) return std::make_unique<AdminClient>(command.run_dir, kHostPatience);
  return std::make_unique<CallClient>(connection_of(command));
}

std::unique_ptr<CallPipe> pipe_for(const Command& command, const busbar::wire::AdminRequest& call) {
  if (!command.connect.empty()) return std::make_unique<PlanePipe>(connection_of(command), call);
  return std::make_unique<AdminPipe>(command.run_dir, call, command.bench.callers_or_usual());
}

ExitStatus show_events(const Command& command, const Streams& streams) {
  // Who follows waits for a host that stands still, as in a debugger, too.
  AdminClient host(command.run_dir, command.follow ? kForEver : kHostPatience);
  if (command.follow) end_quietly_when_interrupted();
  const auto ask = [&](const busbar::wire::AdminRequest& request) { return host.ask(request); };
  return run_events(
      command, ask, [&](bool at_once) { return wait_while_open(host.descriptor(), at_once); }, streams);
}

ExitStatus run(const std::vector<std::string>& arguments, const Streams& streams) {
  const Command command = parse_command_line(arguments, variable);
  if (command.verb == "check") become_check(command, variable);
  if (command.verb == "new") return make_project(command, streams);
  if (command.verb == "dev") return develop(command, variable, streams);
  if (command.verb == "keygen") return make_keys(command, streams);
  if (command.verb == "events") return show_events(command, streams);
  if (command.verb == "doctor") become_doctor(command, variable);
  if (command.verb == "config" && command.action == "check") become_config_check(command, variable);
  const auto ask = [&](const busbar::wire::AdminRequest& request) { return client_for(command)->ask(request); };
  if (command.verb == "config") return run_config(command, ask, streams);
  if (command.verb == "bench") {
    const auto connect = [&](const busbar::wire::AdminRequest& call) { return pipe_for(command, call); };
    return run_bench(command, connect, ask, is_terminal(STDERR_FILENO), streams);
  }
  if (command.verb == "top") {
    const auto connect = [&](const busbar::wire::AdminRequest& question) {
      return std::make_unique<AdminPipe>(command.run_dir, question, 1);
    };
    return run_top(command, connect, is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO), streams);
  }
  return run_verb(command, ask, streams);
}

ExitStatus run_and_report(const std::vector<std::string>& arguments, const Streams& streams) {
  const bool json = wants_json(arguments);
  try {
    return run(arguments, streams);
  } catch (const Printout& printout) {
    streams.out << printout.text;
    return ExitStatus::ok;
  } catch (const Failure& failure) {
    return report(failure, json, streams);
  } catch (const std::bad_alloc&) {
    return report(Failure(ExitStatus::error, failure_code::kLocal, "could not go on: there is no memory left"), json,
                  streams);
  } catch (const std::exception& error) {
    return report(Failure(ExitStatus::error, failure_code::kLocal, std::string("could not go on: ") + error.what()),
                  json, streams);
  }
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  const Streams streams{std::cin, std::cout, std::cerr, coloured(STDOUT_FILENO), coloured(STDERR_FILENO)};
  const ExitStatus status = run_and_report(arguments, streams);
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "busbar: could not write to standard output\n";
    return static_cast<int>(ExitStatus::error);
  }
  return static_cast<int>(status);
}
