// Calls of a plugin that is held: they wait at its gates, and go on there, elsewhere, or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "dispatch/hold.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using host::Hold;
using host::kMillisecond;
using host::kSecond;
using host::now_ns;

/// How a service runs, and how its caller waits.
struct Kind {
  const char* name;
  Form form;
  std::uint32_t flags = 0;
  std::uint32_t max_running = 0;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class Held : public ::testing::TestWithParam<Kind> {
 protected:
  /// A plugin that answers its version.
  host::Instance& publish(int version) {
    Script script;
    script.on(
        "version", [version](Message&, Context&) { return Response::ok(version); }, GetParam().flags);
    if (GetParam().max_running != 0) script.limit(GetParam().max_running);
    return hub.add("held", script);
  }
  std::future<Message> call(std::uint32_t timeout_ms = 20'000) {
    return std::async(std::launch::async,
                      [this, timeout_ms] { return hub.call(Message("version"), {timeout_ms}, GetParam().form); });
  }
  bool waits(std::size_t count = 1) {
    return eventually([&] { return hub.instance("held")->calls_inside() == count; });
  }
  Hub hub;
};

TEST_P(Held, GoesOnWhereItWaits) {
  publish(1);
  std::vector<std::future<Message>> calls;
  {
    Hold hold(hub.instance("held"));
    EXPECT_TRUE(hold.wait_until_quiet(now_ns() + 10 * kSecond));
    for (int i = 0; i < 3; ++i) calls.push_back(call());
    EXPECT_TRUE(waits(3));
    EXPECT_TRUE(hold.wait_until_quiet(now_ns() + 10 * kSecond)) << "who waits does not count";
    EXPECT_EQ(calls[0].wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  }
  for (auto& one : calls) EXPECT_EQ(one.get().response().value_as<int>(), 1);
  EXPECT_EQ(hub.call("version").response().value_as<int>(), 1);
  EXPECT_EQ(hub.instance("held")->endpoints().front().is_inline(), (GetParam().flags & BUSBAR_SERVICE_INLINE) != 0);
  EXPECT_TRUE(hub.quiet());
}

TEST_P(Held, GoesOnAtTheVersionThatTakesItsPlace) {
  publish(1);
  std::vector<std::future<Message>> calls;
  const auto before = hub.instance("held");
  {
    Hold hold(before);
    for (int i = 0; i < 3; ++i) calls.push_back(call());
    EXPECT_TRUE(waits(3));
    hold.move_to(publish(2));
    EXPECT_TRUE(before->quiet()) << "nobody is left there";
  }
  for (auto& one : calls) EXPECT_EQ(one.get().response().value_as<int>(), 2);
  EXPECT_TRUE(hub.quiet());
}

TEST_P(Held, WaitsNoLongerThanItsBudget) {
  publish(1);
  const Hold hold(hub.instance("held"));
  EXPECT_EQ(call(30).get().response().kind(), Response::Kind::service_timeout);
}

TEST_P(Held, IsToldWhyWhereNobodyServesAnyMore) {
  publish(1);
  Hold hold(hub.instance("held"));
  auto one = call();
  EXPECT_TRUE(waits());
  hub.registry().withdraw_router("held");
  hold.refuse_all("it could not be started again");
  const Message outcome = one.get();
  EXPECT_EQ(outcome.response().bad_rpc_kind(), badrpc::kUnloaded);
  EXPECT_EQ(outcome.response().text(), "it could not be started again");
}

TEST_P(Held, IsUnavailableWhereTheNextVersionDoesNotOfferIt) {
  publish(1);
  Hold hold(hub.instance("held"));
  auto one = call();
  EXPECT_TRUE(waits());
  hold.move_to(hub.add("held", Script().on("something_else", [](Message&, Context&) { return Response::ok(); })));
  EXPECT_EQ(one.get().response().kind(), Response::Kind::service_unavailable);
}

INSTANTIATE_TEST_SUITE_P(Every, Held,
                         ::testing::Values(Kind{"Pooled", Form::blocking}, Kind{"PooledAsync", Form::async},
                                           Kind{"Inline", Form::blocking, BUSBAR_SERVICE_INLINE},
                                           Kind{"InlineAsync", Form::async, BUSBAR_SERVICE_INLINE},
                                           Kind{"Limited", Form::blocking, 0, 1},
                                           Kind{"LimitedAsync", Form::async, 0, 1}),
                         [](const auto& with) { return with.param.name; });

TEST(Hold, WaitsForWhoIsInsideAndForWhatThatOneCallsOfItself) {
  Hub hub;
  std::promise<void> entered, go_on;
  auto may_go_on = go_on.get_future().share();
  hub.add("held", Script()
                      .on("outer",
                          [&, may_go_on](Message&, Context& context) {
                            entered.set_value();
                            may_go_on.wait();
                            return context.dispatch(Message("inner")).response();
                          })
                      .on("inner", [](Message&, Context&) { return Response::ok(7); }));
  auto call = std::async(std::launch::async, [&] { return hub.call("outer"); });
  entered.get_future().wait();
  Hold hold(hub.instance("held"));
  EXPECT_FALSE(hold.wait_until_quiet(now_ns() + 20 * kMillisecond));
  EXPECT_EQ(hold.calls_inside(), 1U);
  go_on.set_value();
  EXPECT_TRUE(hold.wait_until_quiet(now_ns() + 20 * kSecond));
  EXPECT_EQ(call.get().response().value_as<int>(), 7);
}

}  // namespace
}  // namespace busbar::testing
