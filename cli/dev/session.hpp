// A session of development: a project is built at every save, and served.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "dev/child.hpp"
#include "dev/cmake_project.hpp"
#include "dev/interrupts.hpp"
#include "dev/scratch.hpp"
#include "dev/source_watch.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// The programs that a session runs.
struct Programs {
  std::filesystem::path busbar;
  std::filesystem::path busbard;
};

/// Builds, serves, and does so again, until it is interrupted. Threads: one.
class Session {
 public:
  /// Errors: Failure.
  Session(const Command& command, Programs programs, const Variables& variables, const Streams& streams);

  /// Returns when it was interrupted and the host has ended; with an error where that did not end in order.
  /// Errors: Failure where it cannot go on.
  ExitStatus run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Step { none, configure, build };

  bool wait();
  int longest_wait() const;
  void note_changes();
  void begin_build();
  void begin_step(Step step);
  void step_ended();
  void built();
  void give_up_build();
  void build_failed(const std::string& how);
  void bring_to_host();
  void serve();
  void host_ended();
  void follow_host();
  void follower_ended();
  ExitStatus end();

  void say(const std::string& text) const;
  void say(const Failure& failure) const;

  const Command& command_;
  const Programs programs_;
  const Variables& variables_;
  const Streams& streams_;
  const Interrupts interrupts_;  // from here on signals wait, so that what follows is always taken away in order
  const CMakeProject project_;
  const Scratch scratch_;
  const std::filesystem::path run_dir_;
  SourceWatch watch_;

  std::optional<Clock::time_point> first_save_;  // of those that have not been built
  Clock::time_point last_save_;
  bool must_configure_ = true;
  bool was_begun_anew_ = false;
  std::vector<BuiltLibrary> asked_for_;
  Clock::time_point build_begun_;
  Step step_ = Step::none;
  std::unique_ptr<Child> build_;
  bool has_plugins_ = false;
  std::unique_ptr<Child> host_;
  std::unique_ptr<Child> follower_;  // shows the host's events
  bool must_follow_ = false;
};

}  // namespace busbar::cli
