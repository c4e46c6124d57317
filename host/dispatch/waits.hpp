// Which calls wait at one gate while they keep a place at another busy: so that none waits for itself by way of others
// (C-D14, decision 0015).
#pragma once

#include <busbar/thread_safety.hpp>

#include <vector>

#include "dispatch/gate.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

/// The calls of one dispatcher. Threads: any.
class Waits {
 public:
  /// Like Gate::enter, for a call that keeps places at other gates busy. kStuck where this would be the last
  /// link: all who are inside would wait for it, and nobody could ever go on.
  Gate::Entry enter(Call& call, Gate& gate, Nanos now, CallList& gone) noexcept;
  /// The call waits no more. By whoever has got it from its gate.
  void end(Call& call) noexcept;

 private:
  struct Row {
    const Call* call;
    const Gate* at;
  };

  bool would_be_for_ever(const Call& call, const Gate& gate) BUSBAR_REQUIRES(mutex_);
  bool all_wait(const Call& call, const Gate& gate) const BUSBAR_REQUIRES(mutex_);
  void remove(const Call& call) noexcept BUSBAR_REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<Row> rows_ BUSBAR_GUARDED_BY(mutex_);
  std::vector<const Gate*> stuck_ BUSBAR_GUARDED_BY(mutex_);  // kept for its memory
};

}  // namespace busbar::host
