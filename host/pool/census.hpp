// How many threads a pool has, and how many of them are blocked.
#pragma once

#include <atomic>
#include <cstdint>

namespace busbar::host {

// Both counts in one word: each step below is decided on both of them, and two threads that decide at once must not
// both take the last place.
// Threads: any.
class Census {
 public:
  struct Counts {
    std::uint32_t live = 0;  // threads that exist or are being started
    std::uint32_t blocked = 0;

    std::uint32_t able_to_run() const noexcept { return live - blocked; }
  };

  // At most `max` threads; beyond `threads` that are able to run there is a surplus.
  Census(unsigned threads, unsigned max) noexcept : threads_(threads), max_(max) {}

  Counts counts() const noexcept { return unpack(word_.load()); }

  bool surplus() const noexcept { return counts().able_to_run() > threads_; }

  // Counts one more thread, unless there is no room.
  bool try_add() noexcept {
    return update([this](Counts& now) { return now.live < max_ && ++now.live > 0; });
  }

  // The same, if fewer than the configured ones are able to run.
  bool try_add_missing() noexcept {
    return update([this](Counts& now) { return now.able_to_run() < threads_ && now.live < max_ && ++now.live > 0; });
  }

  void remove() noexcept {
    update([](Counts& now) { return now.live-- > 0; });
  }

  bool try_remove_surplus() noexcept {
    return update([this](Counts& now) { return now.able_to_run() > threads_ && now.live-- > 0; });
  }

  // Counts the caller as blocked, unless all the threads that there may be were blocked then.
  bool try_block() noexcept {
    return update([this](Counts& now) { return now.blocked + 1 < max_ && ++now.blocked > 0; });
  }

  void unblock() noexcept {
    update([](Counts& now) { return now.blocked-- > 0; });
  }

  // Takes back an add whose thread could not be started. If nobody is able to run then, the caller is unblocked too,
  // and it returns false.
  bool remove_unless_last() noexcept {
    bool last = false;
    update([&last](Counts& now) {
      --now.live;
      last = now.able_to_run() == 0;
      if (last) --now.blocked;
      return true;
    });
    return !last;
  }

 private:
  static Counts unpack(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
  }

  // Applies `change` in one step; it returns whether it has changed anything.
  template <class Change>
  bool update(Change change) noexcept {
    std::uint64_t seen = word_.load();
    for (;;) {
      Counts now = unpack(seen);
      if (!change(now)) return false;
      if (word_.compare_exchange_weak(seen, std::uint64_t{now.live} << 32 | now.blocked)) return true;
    }
  }

  const std::uint32_t threads_;
  const std::uint32_t max_;
  std::atomic<std::uint64_t> word_{0};
};

}  // namespace busbar::host
