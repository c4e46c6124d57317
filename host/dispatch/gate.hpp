// How many calls of a service, or of all services of a plugin, run at the same time, and how many more wait for that
// (`max_running`, `max_queued`; decision 0015).
//
// A call passes the gate of its service, then that of its plugin, and only then goes to the pool: what waits here takes
// no thread and no room in the pool's queue. It holds its places until it is answered and its handler has returned.
#pragma once

#include <busbar/thread_safety.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pool/clock.hpp"

namespace busbar::host {

class Call;

/// Calls in the order in which they came. Ownership: refers to them. A call is in one list at a time.
class CallList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  void push(Call& call) noexcept;
  /// Null: it is empty.
  Call* pop() noexcept;
  /// False: it is not there.
  bool remove(Call& call) noexcept;

 private:
  Call* first_ = nullptr;
  Call* last_ = nullptr;
  std::size_t size_ = 0;
};

/// Threads: any.
class Gate {
 public:
  enum class Entry : std::uint8_t {
    kIn,     ///< the call has a place
    kWaits,  ///< it will be handed out by leave(); whoever gave it in must not touch it any more
    kFull,   ///< neither is possible
    kStuck   ///< all who are inside would wait for it (Waits)
  };

  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Sets how many calls run and wait; 0 running: no limit. Once, before the first call.
  void set(std::uint32_t max_running, std::size_t max_waiting) noexcept;
  /// Whether calls have to pass it.
  bool limits() const noexcept { return max_running_ != 0 || is_closed(); }

  /// Lets nobody in any more, whatever the limit: who comes waits, at least so many of them (Hold).
  void close(std::size_t max_waiting) noexcept;
  bool is_closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
  /// Lets in again. Those who have waited and have a place now come in `let_in`, in their order.
  void open(CallList& let_in) noexcept;
  /// Takes out all who wait, of one that is closed.
  void take_waiting(CallList& taken) noexcept;
  std::size_t waiting() const noexcept;

  std::uint32_t max_running() const noexcept { return max_running_; }
  std::size_t max_waiting() const noexcept { return max_waiting_; }
  /// How many places are taken.
  std::uint32_t running() const noexcept;

  /// Takes a call in if nobody has to go for that.
  bool enter_free() noexcept;
  /// Takes the call in, or has it wait its turn. Now and then those are taken out of the line whose callers have gone:
  /// they come back in `gone`, to be ended without the gate.
  Entry enter(Call& call, Nanos now, CallList& gone) noexcept;
  /// Takes in one that a call which is in waits for, though the gate be full: or it would wait for itself.
  void enter_nested() noexcept;
  /// Takes out one that waits. False: it does not, any more; or the gate is closed, whose calls are counted (Hold).
  bool take_out(Call& call) noexcept;
  /// A call that was in goes. Returns the one that has its place now, or null.
  Call* leave() noexcept;

 private:
  bool has_room() const noexcept BUSBAR_REQUIRES(mutex_) {
    return !closed_ && (max_running_ == 0 || running_ < max_running_);
  }
  std::size_t most_waiting() const noexcept BUSBAR_REQUIRES(mutex_) { return closed_ ? kept_waiting_ : max_waiting_; }
  bool is_time_to_look(Nanos now) const noexcept BUSBAR_REQUIRES(mutex_);
  void take_out_gone(Nanos now, CallList& gone) noexcept BUSBAR_REQUIRES(mutex_);

  std::uint32_t max_running_ = 0;
  std::size_t max_waiting_ = 0;
  std::atomic<bool> closed_{false};  // written under the lock
  mutable Mutex mutex_;
  std::size_t kept_waiting_ BUSBAR_GUARDED_BY(mutex_) = 0;  // at most, while it is closed
  std::uint32_t running_ BUSBAR_GUARDED_BY(mutex_) = 0;     // nested ones are on top of max_running_
  CallList waiting_ BUSBAR_GUARDED_BY(mutex_);
  Nanos first_deadline_ BUSBAR_GUARDED_BY(mutex_) = kNever;  // of those who wait; none of them times out before
  Nanos looked_at_ BUSBAR_GUARDED_BY(mutex_) = 0;            // when the line was gone through
  std::size_t look_from_ BUSBAR_GUARDED_BY(mutex_) = 0;      // how long it must be to be gone through again
};

}  // namespace busbar::host
