// The calls that clients of this node have under way, so that they can be given up for them.
#pragma once

#include <busbar/thread_safety.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "dispatch/peer.hpp"
#include "dispatch/pending_call.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

/// Tells the client when its call has ended, that of a `begin` which was true. Threads: any. A call is begun, then
/// either held and ended, or ended or given up before it could be held.
class ClientCalls {
 public:
  /// False: the client has used this number already, for a call that is under way.
  bool begin(const Requester& client, std::uint64_t attempt);
  void hold(const Requester& client, std::uint64_t attempt, PendingCall call);
  void end(const Requester& client, std::uint64_t attempt) noexcept;

  void cancel(const Requester& client, std::uint64_t attempt) noexcept;
  /// The client is gone.
  void cancel_all(const Requester& client) noexcept;
  /// Waits until there are none, or the time has come. False: it came.
  bool wait_until_none(Nanos deadline) const;

 private:
  using Key = std::pair<const Requester*, std::uint64_t>;

  mutable Mutex mutex_;
  mutable std::condition_variable_any ended_;
  std::map<Key, PendingCall> calls_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::host
