// A plugin that is held, moved and let go all the time while many call it in every way, and others look at its calls.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "dispatch/hold.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using host::Hold;
using host::kSecond;
using host::now_ns;

#if defined(BUSBAR_SANITIZE_ADDRESS) || defined(BUSBAR_SANITIZE_THREAD)
constexpr int kRounds = 60;
#else
constexpr int kRounds = 300;
#endif

class Counter {
 public:
  Script script() {
    const auto count = [this](Message&, Context&) {
      ++runs_;
      return Response::ok(++count_);  // not atomic in all: what the hold is for
    };
    return Script()
        .on("pooled", count)
        .on("inlined", count, BUSBAR_SERVICE_INLINE)
        .on("limited", count)
        .limit(2)
        .on("nested", [](Message&, Context& context) { return context.dispatch(Message("pooled")).response(); });
  }
  std::atomic<int> runs_{0};
  std::atomic<int> count_{0};
};

TEST(HoldHammer, EachCallRunsOnceAndNoneWhileTheStateGoesOver) {
  Hub hub(host::PoolOptions{2, 64, 1000, 10 * host::kMillisecond, 5 * kSecond, {}});
  std::vector<std::unique_ptr<Counter>> versions;
  versions.push_back(std::make_unique<Counter>());
  hub.add("counter", versions.back()->script());
  std::atomic<bool> enough{false};
  std::atomic<int> answered{0}, failed{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&, i] {
      const char* const services[] = {"pooled", "inlined", "limited", "nested"};
      for (int n = i; !enough; ++n) {
        const Message outcome = hub.call(Message(services[n % 4]), {60'000}, n % 3 == 0 ? Form::async : Form::blocking);
        ++(outcome.response().succeeded() ? answered : failed);
      }
    });
  }
  std::thread looker([&] {
    while (!enough) {
      for (const auto& row : hub.dispatcher().calls()) EXPECT_FALSE(row.message_id.empty());
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    Hold hold(hub.instance("counter"));
    ASSERT_TRUE(hold.wait_until_quiet(now_ns() + 60 * kSecond));
    if (round % 3 == 0) continue;
    auto next = std::make_unique<Counter>();
    next->count_ = versions.back()->count_.load();
    const int seen = next->count_;
    host::Instance& instance = hub.add("counter", next->script());
    EXPECT_EQ(versions.back()->count_, seen) << "it went on counting after its state was taken";
    hold.move_to(instance);
    versions.push_back(std::move(next));
  }
  enough = true;
  for (auto& caller : callers) caller.join();
  looker.join();
  int runs = 0;
  for (const auto& version : versions) runs += version->runs_;
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(runs, answered) << "each call has run once";
  EXPECT_EQ(versions.back()->count_, runs) << "and each run counts";
  EXPECT_TRUE(hub.quiet());
}

}  // namespace
}  // namespace busbar::testing
