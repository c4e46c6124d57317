// A program that `busbar dev` runs beside itself: a build, the host, who shows its events.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace busbar::cli {

/// How a child ended.
struct ChildEnd {
  int status = -1;  // its exit status; -1 where a signal ended it
  int signal = 0;

  bool succeeded() const noexcept { return status == 0; }
  /// For people, as in "exit status 1", "signal SIGSEGV".
  std::string text() const;
};

/// A process of its own group, so that Ctrl-C reaches this program alone, which then ends the others in their order. It
/// inherits standard output and error and no other descriptor. Ownership: one that still runs is killed by the
/// destructor, with its group. Threads: one, that of its constructor, as its end is that of the child as well.
class Child {
 public:
  /// Starts it; the program, which comes first, is looked for in $PATH. `when_orphaned` is the signal that it is sent
  /// if this process ends first, however that does. Errors: Failure, with `hint` where there is no such program.
  Child(std::vector<std::string> arguments, int when_orphaned, const std::string& hint = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// To be watched: readable once it has ended.
  int descriptor() const noexcept { return end_of_it_; }
  void signal(int number) const noexcept;
  /// The same for all of its group.
  void signal_group(int number) const noexcept;
  /// Waits for its end.
  ChildEnd wait();
  /// Ends it and all of its group: in order if they do that soon. Returns when none of them is there any more.
  void end_group();

 private:
  pid_t pid_ = -1;
  pid_t group_ = -1;
  int end_of_it_ = -1;  // a pidfd
};

}  // namespace busbar::cli
