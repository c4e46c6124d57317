// What the benchmarks call: a typed request and answer of about 64 bytes, inline and pooled, at once or after a while,
// and calls that are taken and not answered.
#include <busbar/plugin.hpp>

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "sample.hpp"

namespace {

class Bench final : public busbar::Router {
 public:
  Bench() {
    service("bench_inline", &Bench::answer).inlined();
    service("bench_pooled", &Bench::answer);
    service("bench_slow", &Bench::answer_slowly);
    service("bench_held", &Bench::hold);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }
  void stop() override { held_.clear(); }

 private:
  bench::Sample answer(bench::Sample request) { return request; }
  bench::Sample answer_slowly(bench::Sample request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + request.id % 31));
    return request;
  }

  busbar::NoReply hold(const bench::Sample&, busbar::Context& context) {
    const std::lock_guard lock(mutex_);
    held_.push_back(context.reply_handle());
    return busbar::no_reply;
  }

  std::mutex mutex_;
  std::vector<busbar::ReplyHandle> held_;
};

}  // namespace

BUSBAR_PLUGIN(Bench, "bench", "1.0.0")
