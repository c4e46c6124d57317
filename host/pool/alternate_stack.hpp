// A stack for signal handlers beside a thread's own.
#pragma once

#include <cstddef>
#include <memory>

namespace busbar::host {

/// Lets a signal handler that asks for it (SA_ONSTACK) run on this thread even where its stack has overflowed. One on
/// each thread that runs plugins' code, for as long as it does. Where the thread has such a stack already, or there is
/// no memory, nothing happens. Threads: the one that it is made on.
class AlternateStack {
 public:
  AlternateStack() noexcept;
  ~AlternateStack();
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;

 private:
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace busbar::host
