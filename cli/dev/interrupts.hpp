// Signals that end a session.
#pragma once

namespace busbar::cli {

/// SIGINT, SIGTERM and SIGHUP wait until they are looked at, and a closed pipe is an error rather than a signal, for as
/// long as the process lives. Children must let go of it.
class Interrupts {
 public:
  /// Errors: Failure.
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Readable where one waits.
  int descriptor() const noexcept { return signals_; }
  /// Takes one that waits. False where none does.
  bool take() const noexcept;

 private:
  int signals_ = -1;
};

}  // namespace busbar::cli
