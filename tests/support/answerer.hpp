// Answers from another thread than the handler's.
#pragma once

#include <busbar/plugin.hpp>

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace busbar::testing {

/// Answers calls on a thread of its own, in their order.
class Answerer {
 public:
  Answerer() : thread_([this] { run(); }) {}
  ~Answerer() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    bell_.notify_one();
    thread_.join();
  }
  void later(std::function<void()> what) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(what));
    }
    bell_.notify_one();
  }
  void answer(ReplyHandle handle, Response response) {
    const auto shared = std::make_shared<ReplyHandle>(std::move(handle));
    later([shared, response] { EXPECT_TRUE(shared->reply(response)); });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      bell_.wait(lock, [this] { return over_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto batch = std::exchange(queue_, {});
      lock.unlock();
      for (auto& what : batch) what();
      batch.clear();  // what was captured goes on this thread, outside the lock
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable bell_;
  std::vector<std::function<void()>> queue_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace busbar::testing
