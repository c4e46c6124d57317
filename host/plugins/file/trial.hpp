#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

/// How the trial of a plugin in a child process ended.
enum class TrialOutcome {
  passed,
  refused,      ///< the child said why: the system loader's text, what the constructor threw, a bad service…
  crashed,      ///< ended by a signal
  timed_out,    ///< did not end in time and was killed
  no_report,    ///< ended without saying anything that can be understood
  not_started,  ///< the child itself could not be started: says nothing about the plugin
  given_up,     ///< the host did not want to know any more: the child was killed
};

/// What was learnt from a trial.
struct TrialReport {
  TrialOutcome outcome = TrialOutcome::not_started;
  std::string reason;  ///< in words, naming where it happened; empty when it passed
  std::string said;    ///< the last that the child wrote to its standard output or error, for the log
  RouterFacts router;  ///< what it says that it offers
  /// Whether the library was really gone after it had been closed; unknown in sanitizer builds, which keep it.
  std::optional<bool> unmapped;

  bool ok() const { return outcome == TrialOutcome::passed; }
};

/// Runs `program --try-plugin COPY` and waits for it, so that whatever a library does when it is loaded and created is
/// done to a process that can be spared. The child is a program of its own (no fork without exec: a copy of a process
/// with threads can do next to nothing safely), heads its own process group, and dies with the calling thread.
/// What others keep it from running on a busy machine is not its fault: that does not count for `timeout`, up to nine
/// times as much. Threads: any; blocks for up to ten times `timeout`, or until a stop is requested. Errors: never
/// throws for what the child does.
TrialReport try_in_child(const std::filesystem::path& program, const std::filesystem::path& copy,
                         std::chrono::milliseconds timeout, const std::stop_token& stop = {});

/// The child's side: loads the library, creates its router, lists its services, destroys and unloads it, and reports
/// each step on what was standard output before the plugin could write there.
/// Ends the process; call it from `main` before anything else has been started.
[[noreturn]] void run_trial(const std::filesystem::path& library);

}  // namespace busbar::host
