// Which workers have nothing to do.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace busbar::host {

// A set of worker numbers, from which the lowest is taken first: so the few that are needed stay warm, and the others
// can time out. All operations are sequentially consistent: a worker lists itself and then looks at the queue, whoever
// submits fills the queue and then looks here, and at least one of them must see the other.
// Threads: any.
class IdleSet {
 public:
  static constexpr unsigned kCapacity = 1024;
  static constexpr unsigned kNone = kCapacity;

  // Numbers will be below `count`.
  explicit IdleSet(unsigned count) noexcept : words_((count + 63) / 64) {}

  void add(unsigned number) noexcept { sets_[number / 64].fetch_or(bit(number)); }

  // Returns whether it was in the set: who takes a number out owns that worker.
  bool remove(unsigned number) noexcept { return (sets_[number / 64].fetch_and(~bit(number)) & bit(number)) != 0; }

  // Takes the lowest number out; kNone if the set is empty.
  unsigned take() noexcept {
    for (unsigned word = 0; word < words_; ++word) {
      for (std::uint64_t set = sets_[word].load(); set != 0; set = sets_[word].load()) {
        const unsigned number = word * 64 + static_cast<unsigned>(std::countr_zero(set));
        if (remove(number)) return number;
      }
    }
    return kNone;
  }

  bool empty() const noexcept {
    for (unsigned word = 0; word < words_; ++word) {
      if (sets_[word].load() != 0) return false;
    }
    return true;
  }

  unsigned size() const noexcept {
    unsigned count = 0;
    for (unsigned word = 0; word < words_; ++word) count += static_cast<unsigned>(std::popcount(sets_[word].load()));
    return count;
  }

 private:
  static constexpr std::uint64_t bit(unsigned number) noexcept { return std::uint64_t{1} << (number % 64); }

  const unsigned words_;
  alignas(64) std::array<std::atomic<std::uint64_t>, kCapacity / 64> sets_{};
};

}  // namespace busbar::host
