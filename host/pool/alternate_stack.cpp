#include "pool/alternate_stack.hpp"

#include <signal.h>

#include <new>

namespace busbar::host {

namespace {

// Enough for a handler on processors with large registers; untouched, it takes no memory.
constexpr std::size_t kSize = 64 * 1024;

}  // namespace

AlternateStack::AlternateStack() noexcept {
  stack_t there{};
  if (::sigaltstack(nullptr, &there) != 0 || (there.ss_flags & SS_DISABLE) == 0) return;
  memory_.reset(new (std::nothrow) std::byte[kSize]);
  if (!memory_) return;
  stack_t stack{};
  stack.ss_sp = memory_.get();
  stack.ss_size = kSize;
  if (::sigaltstack(&stack, nullptr) != 0) memory_.reset();
}

AlternateStack::~AlternateStack() {
  if (!memory_) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
}

}  // namespace busbar::host
