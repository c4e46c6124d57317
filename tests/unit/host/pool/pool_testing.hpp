// What the tests of the pool share.
#pragma once

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "pool/pool.hpp"
#include "pool/waiter.hpp"

namespace busbar::host {

// Far enough for a slow machine with sanitizers; only a broken test waits this long.
inline Nanos far_future() { return now_ns() + 60 * kSecond; }

inline constexpr Nanos kHour = 3600 * kSecond;

// Waits until the condition holds. For counters that have no bell.
template <class Condition>
bool eventually(Condition&& condition) {
  const Nanos limit = far_future();
  while (!condition()) {
    if (now_ns() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

// A task that runs a function and can be waited for.
class FunctionTask : public Task {
 public:
  explicit FunctionTask(std::function<void()> body = [] {}) : body_(std::move(body)) {}

  void run() noexcept override { body_(); }
  void finish() noexcept override {
    if (on_finish) on_finish();
    waiter_.complete();
  }
  void drop() noexcept override {
    dropped_ = true;
    waiter_.complete();
  }

  // Waits until it has finished or was dropped.
  bool wait() {
    YieldGuard guard;
    return waiter_.wait_until(far_future(), guard);
  }

  bool ended() const { return waiter_.done(); }
  bool dropped() const { return dropped_; }

  std::function<void()> on_finish;

 private:
  std::function<void()> body_;
  bool dropped_ = false;
  Waiter waiter_;
};

// A task that stays inside run() until it is let go.
class HeldTask : public FunctionTask {
 public:
  HeldTask()
      : FunctionTask([this] {
          entered_.count_down();
          let_go_.wait();
        }) {}

  void wait_until_entered() { entered_.wait(); }
  bool entered() const { return entered_.try_wait(); }
  void let_go() { let_go_.count_down(); }

 private:
  std::latch entered_{1};
  std::latch let_go_{1};
};

// Calls `then` on another thread as soon as the pool refuses tasks because it stops. Joined when destroyed.
class OnceStopping {
 public:
  OnceStopping(Pool& pool, std::function<void()> then)
      : thread_([this, &pool, then = std::move(then)] { watch(pool, then); }) {}
  ~OnceStopping() { thread_.join(); }
  OnceStopping(const OnceStopping&) = delete;
  OnceStopping& operator=(const OnceStopping&) = delete;

 private:
  void watch(Pool& pool, const std::function<void()>& then) {
    std::vector<std::unique_ptr<FunctionTask>> accepted;
    for (;;) {
      auto probe = std::make_unique<FunctionTask>();
      const Submitted submitted = pool.submit(*probe);
      if (submitted == Submitted::kStopped) break;
      if (submitted == Submitted::kAccepted) accepted.push_back(std::move(probe));
    }
    then();
    for (const auto& task : accepted) task->wait();
  }

  std::thread thread_;
};

}  // namespace busbar::host
