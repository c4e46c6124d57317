// A service for many callers: it answers with what it was asked, after the time that it was told to take, so that there
// always are calls under way.
#include <busbar/plugin.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

// Built a second time under another name, as what a node offers after a restart.
#ifndef WORKER_SERVICE
#define WORKER_SERVICE "work"
#endif

namespace {

struct Task {
  std::uint64_t number = 0;
  std::uint32_t ms = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number), CEREAL_NVP(ms));
  }
};

struct Done {
  std::uint64_t number = 0;
  std::int64_t pid = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number), CEREAL_NVP(pid));
  }
};

class Worker final : public busbar::Router {
 public:
  Worker() {
    service(WORKER_SERVICE, &Worker::work);
    private_service(WORKER_SERVICE "_long", &Worker::long_tasks);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  Done work(const Task& task, busbar::Context& context) {
    const bool is_long = task.ms >= 60'000;
    if (is_long) ++long_tasks_;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(task.ms);
    while (std::chrono::steady_clock::now() < end && !context.caller_gone()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (is_long) --long_tasks_;
    return {task.number, getpid()};
  }

  // How many are under way that take longer than a test has patience for.
  int long_tasks() { return long_tasks_; }

  std::atomic<int> long_tasks_{0};
};

}  // namespace

BUSBAR_PLUGIN(Worker, FIXTURE_NAME, "1.0.0")
