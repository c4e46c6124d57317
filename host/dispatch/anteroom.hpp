// Where what clients ask waits until this node is ready to answer it.
#pragma once

#include <busbar/thread_safety.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "dispatch/peer.hpp"
#include "pool/clock.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"

namespace busbar::host {

/// Open, until it is closed; then it keeps what is given to it, up to a limit, until it is opened again.
/// Ownership: pool and supervisor outlive it; requesters are shared. Threads: any.
class Anteroom final : private Task {
 public:
  /// How a wait has ended.
  enum class End : std::uint8_t { ready, late, stopping };
  /// What becomes of it then: `waited` in nanoseconds. The envelope is a view, valid during the call. Ready: on a
  /// thread of the pool; late: on the supervisor's; stopping: on that of `dismiss`. Must not throw.
  using Then =
      std::function<void(const std::shared_ptr<Requester>&, const wire::Envelope& envelope, Nanos waited, End end)>;
  enum class Taken : std::uint8_t { held, open, full };

  static constexpr std::size_t kMost = 1'000;
  static constexpr std::size_t kMostBytes = 64 * 1024 * 1024;  ///< beyond them nothing more is taken

  Anteroom(Pool& pool, Supervisor& supervisor, Then then);

  void close() noexcept { closed_.store(true, std::memory_order_release); }
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  /// Keeps a copy of the envelope for `budget` at most. Errors: std::bad_alloc.
  Taken take(const std::shared_ptr<Requester>& from, const wire::Envelope& envelope, Nanos budget);
  /// Opens, and has all that waits go on. If it was closed.
  void open() noexcept;
  /// Opens, and ends all that waits.
  void dismiss() noexcept;
  /// Ends the waits whose time is over; when the next one's is, or kNever.
  Nanos expire(Nanos now) noexcept;

  /// Nobody waits for this any more.
  void forget(const Requester& from, std::uint64_t attempt) noexcept;
  void forget_all(const Requester& from) noexcept;

 private:
  struct Waiting {
    std::shared_ptr<Requester> from;
    std::uint64_t attempt = 0;
    std::vector<std::uint8_t> envelope;
    Nanos since = 0;
    Nanos until = 0;
  };
  using List = std::list<Waiting>;

  void run() noexcept override { end_all(End::ready); }  // as a pool's task
  void finish() noexcept override {}
  void drop() noexcept override { end_all(End::stopping); }

  void end_all(End end) noexcept;
  void end_one(const Waiting& waiting, Nanos now, End end) const noexcept;
  List take_first() noexcept;
  template <class Condition>
  List take_out(Condition&& leaves) noexcept;

  Pool& pool_;
  Supervisor& supervisor_;
  const Then then_;
  std::atomic<bool> closed_{false};

  Mutex mutex_;
  List waiting_ BUSBAR_GUARDED_BY(mutex_);
  std::size_t bytes_ BUSBAR_GUARDED_BY(mutex_) = 0;
};

}  // namespace busbar::host
