// Another thread than the one that is in the plugin.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace busbar::fuzz {

/// Does things one after the other. Threads: any.
class Elsewhere {
 public:
  Elsewhere() : thread_([this] { run(); }) {}
  ~Elsewhere() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    bell_.notify_all();
    thread_.join();
  }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;

  void later(std::function<void()> what) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(what));
    }
    bell_.notify_all();
  }
  /// Has it done before it returns. On that thread itself: at once.
  void now(const std::function<void()>& what) {
    if (std::this_thread::get_id() == thread_.get_id()) return what();
    bool is_done = false;
    later([&] {
      what();
      const std::lock_guard lock(mutex_);
      is_done = true;
      done_.notify_all();
    });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return is_done; });
  }
  bool is_idle() const {
    const std::lock_guard lock(mutex_);
    return queue_.empty() && !busy_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      bell_.wait(lock, [this] { return over_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const auto what = std::move(queue_.front());
      queue_.pop_front();
      busy_ = true;
      lock.unlock();
      what();
      lock.lock();
      busy_ = false;
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable bell_, done_;
  std::deque<std::function<void()>> queue_;
  bool busy_ = false;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace busbar::fuzz
