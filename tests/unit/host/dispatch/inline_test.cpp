// Inline services, and what keeps them to their promise (C-D17).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "dispatch/inline_watch.hpp"
#include "support/event_log.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using host::InlineRecord;
using host::InlineRun;
using host::kMillisecond;
using host::now_ns;

// Uses the processor for more than the limit.
void work_too_long() {
  timespec begun{}, now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
  do {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while ((now.tv_sec - begun.tv_sec) * 1'000'000'000 + (now.tv_nsec - begun.tv_nsec) < 3 * kMillisecond);
}

class InlineService : public ::testing::TestWithParam<Form> {
 protected:
  Message call(Message message, host::DispatchOptions options = {}) {
    return hub.call(std::move(message), options, GetParam());
  }
  Hub hub;
};
INSTANTIATE_TEST_SUITE_P(BothForms, InlineService, ::testing::Values(Form::blocking, Form::async),
                         [](const auto& tested) { return tested.param == Form::blocking ? "Blocking" : "Async"; });

TEST_P(InlineService, RunsOnTheCallersThread) {
  hub.add("p", Script().on(
                   "where",
                   [caller = std::this_thread::get_id()](Message&, Context&) {
                     return Response::ok(std::this_thread::get_id() == caller);
                   },
                   BUSBAR_SERVICE_INLINE));
  EXPECT_TRUE(call(Message("where")).response().value_as<bool>());
}

TEST_P(InlineService, C_D17_ABlockingDispatchInsideAnswersWouldBlockAtOnce) {
  hub.add("p", Script()
                   .on("pooled", [](Message&, Context&) { return Response::ok(); })
                   .on(
                       "inline", [](Message&, Context&) { return Response::ok(); }, BUSBAR_SERVICE_INLINE)
                   .on(
                       "outer",
                       [](Message&, Context& context) {
                         for (const auto* name : {"pooled", "inline", "nobody"}) {
                           const Message inner = context.dispatch(Message(name), std::chrono::hours(24));
                           EXPECT_TRUE(inner.response().is_error("would_block")) << name;
                         }
                         return Response::ok();
                       },
                       BUSBAR_SERVICE_INLINE));
  EXPECT_TRUE(call(Message("outer")).response().succeeded());
}

TEST_P(InlineService, C_D17_MayDispatchWithoutWaiting) {
  std::promise<int> inner;
  hub.add("p", Script()
                   .on("pooled", [](Message&, Context&) { return Response::ok(7); })
                   .on(
                       "outer",
                       [&](Message&, Context& context) {
                         context.dispatch_async(Message("pooled"), [&](Message back) {
                           inner.set_value(back.response().value_as<int>());
                         });
                         return Response::ok();
                       },
                       BUSBAR_SERVICE_INLINE));
  EXPECT_TRUE(call(Message("outer")).response().succeeded());
  EXPECT_EQ(inner.get_future().get(), 7);
}

TEST_P(InlineService, C_D17_NoTimeoutHoldsWhileItRuns) {
  hub.add("p", Script().on(
                   "long",
                   [](Message&, Context& context) {
                     EXPECT_TRUE(eventually([&] { return context.time_left().count() == 0; }));
                     // Give whoever watches the time every chance to end the call.
                     std::this_thread::sleep_for(std::chrono::milliseconds(20));
                     return Response::ok(1);
                   },
                   BUSBAR_SERVICE_INLINE));
  const Message back = call(Message("long"), {1});
  EXPECT_EQ(back.response().kind(), Response::Kind::ok) << "C-D5 does not hold for it, in either form (C-D16)";
}

TEST_P(InlineService, C_D17_TheThirdSlowRunMovesItToThePool) {
  const auto log = std::make_shared<EventLog>();
  hub.events().subscribe(log, mask_of(host::EventKind::inline_service_too_slow));
  hub.add("p", Script().on(
                   "slow",
                   [](Message&, Context&) {
                     const bool pooled = host::Pool::on_worker();
                     work_too_long();
                     return Response::ok(pooled);
                   },
                   BUSBAR_SERVICE_INLINE));
  std::vector<bool> pooled;
  for (int i = 0; i < 5; ++i) pooled.push_back(call(Message("slow")).response().value_as<bool>());
  EXPECT_EQ(pooled, (std::vector<bool>{false, false, false, true, true}));
  const auto warnings = log->entries();
  ASSERT_EQ(warnings.size(), 3u);
  for (const auto& warning : warnings) {
    EXPECT_EQ(warning.service, "slow");
    EXPECT_EQ(warning.plugin, "p");
    EXPECT_GT(warning.duration, kMillisecond);
    EXPECT_FALSE(warning.message_id.empty());
  }
  EXPECT_NE(warnings[2].reason, warnings[0].reason) << "the third says that it was moved";
}

TEST_P(InlineService, C_D17_IsInlineAgainWhenItsPluginIsReloaded) {
  const auto script = [] {
    return Script().on(
        "slow",
        [](Message& message, Context&) {
          if (message.raw_request_as<bool>()) work_too_long();
          return Response::ok(host::Pool::on_worker());
        },
        BUSBAR_SERVICE_INLINE);
  };
  hub.add("p", script());
  for (int i = 0; i < 3; ++i) call(Message::of("slow", true));
  EXPECT_TRUE(call(Message::of("slow", false)).response().value_as<bool>());
  hub.registry().withdraw_router("p");
  hub.add("p", script());
  EXPECT_FALSE(call(Message::of("slow", false)).response().value_as<bool>());
}

TEST_P(InlineService, C_D17_ASlowRunSleepingCountsToo) {
  hub.add("p", Script().on(
                   "sleeps",
                   [](Message&, Context&) {
                     const bool pooled = host::Pool::on_worker();
                     std::this_thread::sleep_for(std::chrono::milliseconds(2));
                     return Response::ok(pooled);
                   },
                   BUSBAR_SERVICE_INLINE));
  std::vector<bool> pooled;
  for (int i = 0; i < 4; ++i) pooled.push_back(call(Message("sleeps")).response().value_as<bool>());
  EXPECT_EQ(pooled, (std::vector<bool>{false, false, false, true}));
}

// How long the slow run took by the warning, against what the test itself saw.
struct SlowRun {
  host::Nanos told = 0, seen = 0;
};
SlowRun slow_run(Hub& hub, host::EventMask also, Form form) {
  const auto log = std::make_shared<EventLog>();
  hub.events().subscribe(log, mask_of(host::EventKind::inline_service_too_slow) | also);
  hub.add("p", Script()
                   .on(
                       "quick", [](Message&, Context&) { return Response::ok(); }, BUSBAR_SERVICE_INLINE)
                   .on(
                       "slow",
                       [](Message&, Context& context) {
                         work_too_long();
                         context.dispatch_async(Message("quick"), [](Message) {});  // which reads the clock as well
                         return Response::ok();
                       },
                       BUSBAR_SERVICE_INLINE));
  SlowRun run;
  std::thread([&] {  // one that has never read the clock
    const host::Nanos begun = now_ns();
    hub.call(Message("slow"), {}, form);
    run.seen = now_ns() - begun;
  })
      .join();
  for (const auto& entry : log->entries()) {
    if (entry.kind == host::EventKind::inline_service_too_slow) run.told = entry.duration;
  }
  return run;
}

TEST_P(InlineService, C_D17_TellsHowLongASlowRunTookWhateverElseReadTheClock) {
  const SlowRun run = slow_run(hub, 0, GetParam());
  EXPECT_GE(run.told, 3 * kMillisecond) << "it used the processor for as long";
  EXPECT_LE(run.told, run.seen + run.seen / 100);
}

TEST_P(InlineService, C_D17_TellsHowLongASlowRunTookAlsoWhileEveryEventIsObserved) {
  const SlowRun run = slow_run(hub, host::kAllEvents, GetParam());
  EXPECT_GE(run.told, 3 * kMillisecond);
  EXPECT_LE(run.told, run.seen + run.seen / 100);
}

TEST_P(InlineService, AnswersOverloadedWhenInlineServicesCallEachOtherWithoutEnd) {
  std::atomic<int> depth{0};
  std::atomic<int> refused{0};
  hub.add("p", Script().on(
                   "again",
                   [&](Message&, Context& context) {
                     ++depth;
                     context.dispatch_async(Message("again"), [&](Message back) {
                       if (!back.response().succeeded()) ++refused;
                     });
                     return Response::ok();
                   },
                   BUSBAR_SERVICE_INLINE));
  EXPECT_TRUE(call(Message("again")).response().succeeded());
  EXPECT_EQ(refused, 1);
  EXPECT_GT(depth, 1);
}

TEST(InlineWatch, ForgivesARunDuringWhichTheProcessorWasTakenAway) {
  InlineRecord record;
  EXPECT_FALSE(record.count());
  ASSERT_TRUE(record.under_watch());
  InlineRun run(record, host::ticks());
  // An hour by the clock, but the thread neither used the processor nor chose to sleep.
  EXPECT_FALSE(run.broke_promise(3600 * host::kSecond));
}

TEST(InlineWatch, CountsAMeasuredRunThatUsedTheProcessor) {
  InlineRecord record;
  record.count();
  InlineRun run(record, host::ticks());
  work_too_long();
  EXPECT_TRUE(run.may_have_broken_promise(host::ticks()));
  EXPECT_TRUE(run.broke_promise(4 * kMillisecond));
}

TEST(InlineWatch, ForgetsWhatWasCountedAfterAHundredGoodRuns) {
  InlineRecord record;
  EXPECT_FALSE(record.count());
  EXPECT_FALSE(record.count());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(record.under_watch()) << i;
    InlineRun run(record, host::ticks());
    ASSERT_FALSE(run.broke_promise(1));
  }
  EXPECT_FALSE(record.under_watch());
  EXPECT_FALSE(record.count());
  EXPECT_FALSE(record.count());
  EXPECT_TRUE(record.count());
}

TEST(InlineWatch, EndsTheWatchAlsoWhenSeveralThreadsRanTheLastWatchedRuns) {
  InlineRecord record;
  record.count();
  // All begin while it is under watch, as those of many threads do.
  std::vector<InlineRun> runs;
  for (int i = 0; i < 110; ++i) runs.emplace_back(record, host::ticks());
  for (auto& run : runs) EXPECT_FALSE(run.broke_promise(1));
  EXPECT_FALSE(record.under_watch()) << "watched for ever: every run would pay for the measurement";
}

}  // namespace
}  // namespace busbar::testing
