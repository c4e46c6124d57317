#include "system/support/pseudo_terminal.hpp"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "system/support/process.hpp"

namespace busbar::system_tests {

namespace {

std::vector<std::string> environment_of_a_terminal() {
  std::vector<std::string> out = {"TERM=xterm"};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("TERM=") && !text.starts_with("NO_COLOR=")) out.emplace_back(text);
  }
  return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

winsize size_of(std::size_t width, std::size_t height) {
  winsize out{};
  out.ws_col = static_cast<unsigned short>(width);
  out.ws_row = static_cast<unsigned short>(height);
  return out;
}

}  // namespace

PseudoTerminal::PseudoTerminal(std::vector<std::string> arguments, std::size_t width, std::size_t height)
    : width_(width), height_(height), lines_(height) {
  auto environment = environment_of_a_terminal();
  const auto environment_pointers = pointers_to(environment);
  const auto pointers = pointers_to(arguments);
  const winsize size = size_of(width, height);
  pid_ = ::forkpty(&fd_, nullptr, nullptr, &size);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close_range(3, ~0U, 0);
    ::execvpe(pointers[0], pointers.data(), environment_pointers.data());
    ::_exit(127);
  }
  if (pid_ < 0) throw std::runtime_error("could not start a program on a terminal");
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
}

PseudoTerminal::~PseudoTerminal() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(fd_);
}

void PseudoTerminal::resize(std::size_t width, std::size_t height) {
  take_what_has_come();
  width_ = width;
  height_ = height;
  lines_.resize(height);
  for (std::string& line : lines_) line.resize(std::min(line.size(), width));
  const winsize size = size_of(width, height);
  ::ioctl(fd_, TIOCSWINSZ, &size);
}

void PseudoTerminal::press(std::string_view keys) const {
  if (::write(fd_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
    throw std::runtime_error("could not press a key");
  }
}

bool PseudoTerminal::eventually(const std::function<bool(const std::string& screen)>& condition) {
  return system_tests::eventually([&] { return condition(screen()); });
}

bool PseudoTerminal::eventually_shows(std::string_view text) {
  return eventually([&](const std::string& shown) { return shown.find(text) != std::string::npos; });
}

bool PseudoTerminal::eventually_drawn() {
  take_what_has_come();
  return eventually([this, before = drawn_](const std::string&) { return drawn_ > before; });
}

std::optional<int> PseudoTerminal::wait() {
  int status = 0;
  const bool ended = system_tests::eventually([&] {
    take_what_has_come();
    return ::waitpid(pid_, &status, WNOHANG) == pid_;
  });
  if (!ended) return std::nullopt;
  pid_ = -1;
  take_what_has_come();
  return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
}

std::string PseudoTerminal::screen() {
  take_what_has_come();
  std::string out;
  for (const std::string& line : lines_) out += line + "\n";
  return out;
}

bool PseudoTerminal::is_cooked() const {
  termios found{};
  return ::tcgetattr(fd_, &found) == 0 && (found.c_lflag & ICANON) != 0 && (found.c_lflag & ECHO) != 0;
}

std::string PseudoTerminal::take_unexpected() {
  take_what_has_come();
  return std::exchange(unexpected_, {});
}

void PseudoTerminal::take_what_has_come() {
  std::array<char, 4096> bytes;
  for (;;) {
    const ssize_t size = ::read(fd_, bytes.data(), bytes.size());
    if (size <= 0) return;  // nothing yet, or its other side is closed
    for (ssize_t i = 0; i < size; ++i) show(bytes[static_cast<std::size_t>(i)]);
  }
}

void PseudoTerminal::show(char byte) {
  if (!sequence_.empty()) {
    sequence_ += byte;
    const bool is_last = sequence_.size() > 2 && byte >= '@' && byte <= '~';
    if (is_last || (sequence_.size() == 2 && byte != '[')) obey(std::exchange(sequence_, {}));
  } else if (byte == '\033') {
    sequence_ = byte;
  } else if (byte == '\r') {
    column_ = 0;
  } else if (byte == '\n') {
    row_ = std::min(row_ + 1, height_ - 1);
  } else {
    put(byte);
  }
}

void PseudoTerminal::put(char byte) {
  if (byte < ' ' || byte > '~' || column_ >= width_) {
    unexpected_ += byte;
    return;
  }
  std::string& line = lines_[row_];
  line.resize(std::max(line.size(), column_ + 1), ' ');
  line[column_++] = byte;
}

void PseudoTerminal::obey(const std::string& sequence) {
  const std::string what = sequence.substr(2);
  std::string& line = lines_[row_];
  if (what == "H") {
    row_ = column_ = 0;
    ++drawn_;
  } else if (what == "K") {
    line.resize(std::min(line.size(), column_));
  } else if (what == "J") {
    line.resize(std::min(line.size(), column_));
    for (std::size_t i = row_ + 1; i < lines_.size(); ++i) lines_[i].clear();
  } else if (what == "?1049h" || what == "?1049l") {
    other_screen_ = what.back() == 'h';
    for (std::string& each : lines_) each.clear();
  } else if (what == "?25h" || what == "?25l") {
    shows_cursor_ = what.back() == 'h';
  } else if (what != "?7h" && what != "?7l" && what.back() != 'm') {
    unexpected_ += sequence;
  }
}

}  // namespace busbar::system_tests
