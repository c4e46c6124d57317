// A program on a terminal of its own, and what that terminal shows.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::system_tests {

/// A terminal as far as the programs under test may use it: text of ASCII, colours, the other screen, the cursor. What
/// else is sent to it, and what is written beyond its right edge, is noted. It takes what was sent when it is asked for
/// anything. Ownership: a program that still runs is killed by the destructor. Threads: one.
class PseudoTerminal {
 public:
  /// Errors: std::runtime_error where the program cannot be started.
  PseudoTerminal(std::vector<std::string> arguments, std::size_t width, std::size_t height);
  ~PseudoTerminal();
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  /// The program is told by SIGWINCH.
  void resize(std::size_t width, std::size_t height);
  void press(std::string_view keys) const;

  /// Waits until what is shown is as `condition` asks. False where it is not in time.
  bool eventually(const std::function<bool(const std::string& screen)>& condition);
  bool eventually_shows(std::string_view text);
  /// Waits until it is drawn again.
  bool eventually_drawn();
  /// Waits for the program's end: its exit status; nothing where it does not come, or a signal ended it.
  std::optional<int> wait();

  /// Its lines, each with its end.
  std::string screen();
  bool has_other_screen() const noexcept { return other_screen_; }
  bool shows_cursor() const noexcept { return shows_cursor_; }
  /// Whether lines are edited and keys shown, as a shell needs it.
  bool is_cooked() const;
  /// What was written beyond the right edge, or is nothing that it knows, since it had its size or was asked; empty:
  /// nothing.
  std::string take_unexpected();

 private:
  void take_what_has_come();
  void show(char byte);
  void obey(const std::string& sequence);
  void put(char byte);

  pid_t pid_ = -1;
  int fd_ = -1;
  std::size_t width_, height_;
  std::vector<std::string> lines_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  std::string sequence_;  // that has begun
  bool other_screen_ = false;
  bool shows_cursor_ = true;
  std::size_t drawn_ = 0;
  std::string unexpected_;
};

}  // namespace busbar::system_tests
