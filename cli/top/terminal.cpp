#include "top/terminal.hpp"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "failure.hpp"

namespace busbar::cli {

namespace {

// ECMA-48, and the private modes that every terminal emulator knows: the other screen, lines that are not wrapped, the
// cursor.
constexpr std::string_view kEnter = "\033[?1049h\033[?7l\033[?25l";
constexpr std::string_view kLeave = "\033[?25h\033[?7h\033[?1049l";
constexpr std::string_view kHome = "\033[H";
constexpr std::string_view kClearLine = "\033[K";
constexpr std::string_view kClearBelow = "\033[J";

Failure unusable(const std::string& why) {
  return Failure(ExitStatus::error, failure_code::kLocal, "could not use the terminal: " + why,
                 "\"busbar top --once\" needs none");
}

bool write_all(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t size = ::write(STDOUT_FILENO, text.data(), text.size());
    if (size < 0 && errno != EINTR) return false;
    if (size > 0) text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

}  // namespace

Terminal::Terminal() {
  if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw unusable(error_text(errno));
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGWINCH);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  resized_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (resized_ < 0) throw unusable(error_text(errno));
  termios ours = before_;
  ours.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ours.c_cc[VMIN] = 0;
  ours.c_cc[VTIME] = 0;
  ours.c_cc[VSUSP] = _POSIX_VDISABLE;  // the shell would be on our screen
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &ours) == 0 && write_all(kEnter)) return;
  const int error = errno;
  ::close(resized_);
  throw unusable(error_text(error));
}

Terminal::~Terminal() {
  write_all(kLeave);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  ::close(resized_);
}

Terminal::Size Terminal::size() noexcept {
  winsize found{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) != 0 || found.ws_col == 0 || found.ws_row == 0) return {};
  return {found.ws_col, found.ws_row};
}

void Terminal::heed_resize() const noexcept {
  signalfd_siginfo one;
  while (::read(resized_, &one, sizeof one) > 0) {
  }
}

std::string Terminal::keys() {
  std::array<char, 64> pressed;
  const ssize_t size = ::read(STDIN_FILENO, pressed.data(), pressed.size());
  if (size < 0 && errno != EINTR && errno != EAGAIN) throw unusable(error_text(errno));
  return {pressed.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

void Terminal::draw(const std::vector<ScreenLine>& lines, const Palette& palette) {
  std::string out(kHome);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 0) out += "\r\n";
    for (const Cell& cell : lines[i]) out += palette(cell.colour, cell.text);
    out += kClearLine;
  }
  // Behind a line as wide as the screen the cursor stands on its last column: what is cleared there is below alone.
  out += "\033[0m";
  if (lines.size() < size().height) out += std::string("\r\n") + std::string(kClearBelow);
  if (!write_all(out)) throw unusable(error_text(errno));
}

}  // namespace busbar::cli
