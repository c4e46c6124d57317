// What a test's host knows besides the router: the time, the fakes, and what the plugin has done.
#pragma once

#include <busbar/abi.h>
#include <busbar/message.hpp>
#include <busbar/response.hpp>
#include <busbar/thread_safety.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::kit {

/// What a fake answers. It may look at the message, move the time on, and throw, as a handler may.
using Answer = std::function<Response(const Message&)>;

/// How long a fake takes that never answers.
inline constexpr std::chrono::microseconds never = std::chrono::microseconds::max();

/// A message that the plugin dispatched, as the service that it was for sees it.
struct Dispatched {
  Message message;
  std::chrono::microseconds budget;  // how long its caller was going to wait
};

/// A line that the plugin logged.
struct LogLine {
  std::string level;  // "trace" to "error"
  std::string text;
  std::string message_id;  // of the call that it belongs to; empty: none
};

namespace detail {

/// Ownership: shared by a kit::Host and its calls, which a reply handle may hold for longer. Threads: any.
class State : public std::enable_shared_from_this<State> {
 public:
  using Action = std::function<void()>;
  struct Fake {
    Answer answer;
    std::chrono::microseconds takes;
  };

  // -- time: it stands still unless somebody moves it on

  std::int64_t now_us() BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    return now_us_;
  }

  /// Moves the time on, and does on the way what became due, in its order and at its time.
  void advance_to(std::int64_t target_us) BUSBAR_EXCLUDES(mutex) {
    while (Action action = next_until(target_us)) action();
    changed.notify_all();
  }
  void advance(std::chrono::microseconds time) {
    constexpr std::chrono::microseconds kCentury = std::chrono::hours(24 * 36525);  // far from any overflow
    advance_to(now_us() + std::clamp(time, std::chrono::microseconds(0), kCentury).count());
  }

  /// Has something done at a time. `owed`: the plugin was promised it, and must get it before it is stopped.
  void at(std::int64_t due_us, bool owed, Action action) BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    due_.emplace(due_us, Due{owed, std::move(action)});
  }
  void deliver_owed() BUSBAR_EXCLUDES(mutex) {
    while (Action action = next_owed()) action();
  }
  void forget_due() BUSBAR_EXCLUDES(mutex) {
    std::multimap<std::int64_t, Due> forgotten;  // freed without the lock: what it holds may come back to us
    const MutexLock lock(mutex);
    forgotten.swap(due_);
  }

  // -- the services of others

  void add_fake(std::string_view service, Answer answer, std::chrono::microseconds takes) BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    fakes_.insert_or_assign(std::string(service), Fake{std::move(answer), takes});
  }
  /// The fake of that name, or one without an answer.
  Fake find_fake(std::string_view service) BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    const auto found = fakes_.find(service);
    return found == fakes_.end() ? Fake{} : found->second;
  }

  // -- what the plugin has done

  void record(const Message& message, std::chrono::microseconds budget) BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    dispatched_.push_back({message, budget});
  }
  std::vector<Dispatched> dispatched() BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    return dispatched_;
  }
  void record(LogLine line) BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    log_.push_back(std::move(line));
  }
  std::vector<LogLine> log() BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    return log_;
  }

  void count_handle(int change) BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    handles_held_ += change;
  }
  int handles_held() BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    return handles_held_;
  }

  Mutex mutex;                          // also that of every call; nothing of the plugin's runs with it held
  std::condition_variable_any changed;  // some call has ended, or time has passed
  std::string node;
  busbar_host table{};
  const busbar_router* router = nullptr;  // null once it is destroyed

 private:
  struct Due {
    bool owed;
    Action action;
  };
  using DueList = std::multimap<std::int64_t, Due>;

  Action next_until(std::int64_t target_us) BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    const auto next = due_.begin();
    if (next != due_.end() && next->first <= target_us) return take(next);
    now_us_ = std::max(now_us_, target_us);
    return {};
  }
  Action next_owed() BUSBAR_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    const auto next = std::find_if(due_.begin(), due_.end(), [](const auto& entry) { return entry.second.owed; });
    return next == due_.end() ? Action() : take(next);
  }
  Action take(DueList::iterator due) BUSBAR_REQUIRES(mutex) {
    now_us_ = std::max(now_us_, due->first);
    Action action = std::move(due->second.action);
    due_.erase(due);
    return action;
  }

  // Begins at the real one, so that a handler that compares a deadline with the steady clock sees no nonsense.
  std::int64_t now_us_ BUSBAR_GUARDED_BY(mutex) =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
  DueList due_ BUSBAR_GUARDED_BY(mutex);
  std::map<std::string, Fake, std::less<>> fakes_ BUSBAR_GUARDED_BY(mutex);
  std::vector<Dispatched> dispatched_ BUSBAR_GUARDED_BY(mutex);
  std::vector<LogLine> log_ BUSBAR_GUARDED_BY(mutex);
  int handles_held_ BUSBAR_GUARDED_BY(mutex) = 0;
};

}  // namespace detail
}  // namespace busbar::kit
