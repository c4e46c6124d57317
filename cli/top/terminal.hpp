// A terminal that is drawn on as a whole.
#pragma once

#include <termios.h>

#include <cstddef>
#include <string>
#include <vector>

#include "text.hpp"
#include "top/screen.hpp"

namespace busbar::cli {

/// Takes the terminal of standard input and output: another screen, without a cursor, whose keys come at once and are
/// not shown. Given back by the destructor, as it was. SIGWINCH waits until it is looked at. Threads: one; the process
/// has one at a time.
class Terminal {
 public:
  /// Errors: Failure.
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size {
    std::size_t width = 80;
    std::size_t height = 24;
  };
  /// As it is now.
  static Size size() noexcept;
  /// Readable when it has another size.
  int resized() const noexcept { return resized_; }
  /// Forgets that it had.
  void heed_resize() const noexcept;

  /// The keys that have been pressed, as they are sent. Errors: Failure where the terminal has gone.
  static std::string keys();
  /// Shows the lines, in place of what was there. Errors: as above.
  static void draw(const std::vector<ScreenLine>& lines, const Palette& palette);

 private:
  termios before_{};
  int resized_ = -1;
};

}  // namespace busbar::cli
