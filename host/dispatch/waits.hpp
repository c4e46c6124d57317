// Which calls wait while they keep places at gates busy: at a full gate, or for another node. So that none waits for
// itself by way of others (C-D14, decisions 0015 and 0028).
#pragma once

#include <busbar/thread_safety.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/chain.hpp"
#include "dispatch/circle.hpp"
#include "dispatch/gate.hpp"
#include "dispatch/wait_view.hpp"
#include "pool/clock.hpp"
#include "pool/supervisor.hpp"

namespace busbar::host {

/// The calls of one dispatcher. Each wait has a number that is never used twice: one that is seen twice has lasted in
/// between. Threads: any.
class Waits {
 public:
  /// `node`: this one. Ownership: the supervisor outlives it, and has somebody look when it is time.
  Waits(std::string node, Supervisor& supervisor) : node_(std::move(node)), supervisor_(supervisor) {}
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;

  /// Like Gate::enter, for a call that keeps places at other gates busy, or is waited for by one that does. kStuck
  /// where this would be the last link: all who are inside would wait for it, and nobody could ever go on; `circle`
  /// names them. Where that is for other nodes to tell, it is due to be looked at (`take_due`).
  Gate::Entry enter(Call& call, Gate& gate, Nanos now, CallList& gone, Circle& circle) noexcept;
  /// The call waits no more. By whoever has got it from its gate.
  void end(Call& call) noexcept;

  /// A call is, or is about to be, at another node, and who waits for it keeps places busy: as long as this lives. Of
  /// other calls it notes nothing. Without memory neither: then a circle through it is not found.
  class Elsewhere {
   public:
    Elsewhere(Waits& waits, Call& call) noexcept;
    ~Elsewhere();
    Elsewhere(const Elsewhere&) = delete;
    Elsewhere& operator=(const Elsewhere&) = delete;

   private:
    Waits& waits_;
    Call& call_;
  };

  /// What a call waits for that another node has sent here. Errors: std::bad_alloc.
  WaitsView view_of(const SentCall& call) const;
  /// The same of the call whose wait at a gate has that number, which comes first; no waits where it is over.
  WaitsView view_of(std::uint64_t number) const;

  /// When the next wait is due to be looked at; kNever: none is.
  Nanos next_look() const noexcept { return next_look_.load(std::memory_order_relaxed); }
  struct Due {
    std::uint64_t number = 0;
    bool is_new = false;  ///< it has not been looked at to the end yet
  };
  /// The waits that are due, so many at most; they are due again only after `looked_at`.
  std::vector<Due> take_due(Nanos now, std::size_t most);
  /// That wait closes no circle as things are, or somebody else is to open it. `again`: when it is due next; `is_new`:
  /// what others are told until then.
  void looked_at(std::uint64_t number, bool is_new, Nanos again) noexcept;
  struct Taken {
    Call* call = nullptr;  ///< null: the wait is over, or the gate is closed
    const Gate* from = nullptr;
  };
  /// Takes the call of that wait away from its gate, to be refused.
  Taken take_out(std::uint64_t number) noexcept;

 private:
  struct Row {
    std::uint64_t number = 0;
    Call* call = nullptr;
    Gate* at = nullptr;  // null: it is at another node
    std::string service, message_id;
    Nanos look_at = kNever;
    bool is_new = false;
  };
  // Everything that waits lead to here.
  struct Reach {
    std::vector<const Row*> rows;    // the ones that were asked about come first
    std::vector<const Gate*> gates;  // at which they wait
    bool leads_elsewhere = false;
    void add(const Row& row);
  };

  Gate::Entry enter_noted(Call& call, Gate& gate, Nanos now, CallList& gone) noexcept BUSBAR_REQUIRES(mutex_);
  Circle closed_by(Row& row, Nanos now) BUSBAR_REQUIRES(mutex_);
  Row& add(Call& call, Gate* gate) BUSBAR_REQUIRES(mutex_);
  Row* find(std::uint64_t number) noexcept BUSBAR_REQUIRES(mutex_);
  void remove(const Call& call) noexcept BUSBAR_REQUIRES(mutex_);
  bool can_go_on(Reach& reach) const BUSBAR_REQUIRES(mutex_);
  bool has_place_to_come(const Gate& gate, Reach& reach) const BUSBAR_REQUIRES(mutex_);
  WaitsView view(const Reach& reach) const BUSBAR_REQUIRES(mutex_);
  WaitView view(const Row& row, const Reach& reach) const BUSBAR_REQUIRES(mutex_);
  void plan(Row& row, Nanos look_at) noexcept BUSBAR_REQUIRES(mutex_);

  const std::string node_;
  Supervisor& supervisor_;
  std::atomic<Nanos> next_look_{kNever};  // written with the mutex held
  mutable Mutex mutex_;
  std::uint64_t last_number_ BUSBAR_GUARDED_BY(mutex_) = 0;
  std::vector<Row> rows_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::host
