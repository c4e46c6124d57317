#include "pool/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace busbar::host {

namespace {

// What a thread is to wake later.
struct Later {
  static constexpr std::size_t kMost = 64;

  unsigned depth = 0;
  std::size_t count = 0;
  std::array<const FutexWord*, kMost> words;
};
thread_local constinit Later later{};

void wake(const FutexWord& word) noexcept { ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

void wake_all_now() noexcept {
  for (std::size_t i = 0; i < later.count; ++i) wake(*later.words[i]);
  later.count = 0;
}

}  // namespace

static_assert(sizeof(FutexWord) == 4 && FutexWord::is_always_lock_free, "the kernel looks at the word itself");

void futex_wait(const FutexWord& word, std::uint32_t expected, Nanos deadline) noexcept {
  if (later.count != 0) wake_all_now();  // one of them may be who is to wake us
  timespec until{};
  if (deadline != kNever) {
    if (deadline < 0) return;
    until.tv_sec = static_cast<time_t>(deadline / kSecond);
    until.tv_nsec = static_cast<long>(deadline % kSecond);
  }
  // The bitset form takes an absolute time, on CLOCK_MONOTONIC; the plain one would take a duration.
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline == kNever ? nullptr : &until, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

void futex_wake_one(const FutexWord& word) noexcept {
  if (later.depth == 0 || later.count == Later::kMost) return wake(word);
  const auto end = later.words.begin() + later.count;
  if (std::find(later.words.begin(), end, &word) == end) later.words[later.count++] = &word;
}

WakeLater::WakeLater() noexcept { ++later.depth; }

WakeLater::~WakeLater() {
  if (--later.depth == 0) wake_all_now();
}

}  // namespace busbar::host
