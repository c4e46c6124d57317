// Which provider is asked, and which one next.
#include <latch>
#include <map>
#include <set>

#include "remote.hpp"
#include "support/event_log.hpp"

namespace busbar::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class Failover : public RemoteTest {
 protected:
  LinkedHubs net{{"a", "b", "c", "d"}};
};
BUSBAR_BOTH_FORMS(Failover);

TEST_P(Failover, C_D2_ALocalProviderWins) {
  net.add("a", answering("s", "a"));
  net.add("b", answering("s", "b"));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "a");
  net["a"].registry().withdraw_router("p");
  EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "b");
}

TEST_P(Failover, C_D2_NobodyIsServiceUnavailable) {
  EXPECT_EQ(call(net["a"], "s").response().kind(), Response::Kind::service_unavailable);
}

TEST_P(Failover, C_D3_OneOfSeveralIsPickedAtRandom) {
  for (const char* node : {"b", "c", "d"}) net.add(node, answering("s", node));
  std::map<std::string, int> count;
  for (int i = 0; i < 200; ++i) ++count[call(net["a"], "s").response().value_as<std::string>()];
  // Each is expected 67 times; to miss 20 by chance is one in 10^11.
  EXPECT_EQ(count.size(), 3u);
  for (const auto& [node, times] : count) EXPECT_GE(times, 20) << node;
}

TEST_P(Failover, C_D4_TheNextIsTriedEachOnceAndTheLocalOneFirst) {
  std::map<std::string, int> asked;
  std::mutex mutex;
  for (const char* node : {"a", "b", "c", "d"}) {
    net.add(node, Script().on("s", [&, node](Message&, Context&) {
      const std::lock_guard lock(mutex);
      ++asked[node];
      return Response::try_another_node("busy_" + std::string(node));
    }));
  }
  const Message back = call(net["a"], "s");
  const auto rows = tried(back.response());
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows.front(), "local:busy_a");
  EXPECT_THAT(rows, UnorderedElementsAre("local:busy_a", "b:busy_b", "c:busy_c", "d:busy_d"));
  for (const auto& [node, times] : asked) EXPECT_EQ(times, 1) << node;
  EXPECT_EQ(asked.size(), 4u);
  EXPECT_TRUE(net.quiet());
}

TEST_P(Failover, C_D4_ThePoolIsNotNeededToGoOn) {
  net.add("a", Script().on(
                   "s", [](Message&, Context&) { return Response::try_another_node("no"); }, BUSBAR_SERVICE_INLINE));
  net.add("b", answering("s", "b", BUSBAR_SERVICE_INLINE));
  EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "b");
}

TEST_P(Failover, C_D4_TheOneThatServesAnswers) {
  for (const char* node : {"a", "b", "c"}) net.add(node, refusing("s", "busy"));
  net.add("d", Script().on("s", [](Message& m, Context&) {
    m.assign("by", std::string("d"));
    return Response::ok_payload(m.raw_request());
  }));
  for (int i = 0; i < 10; ++i) {
    const Message back = call(net["a"], Message::of("s", i));
    EXPECT_EQ(back.response().value_as<int>(), i);
    EXPECT_EQ(back.assigned<std::string>("by"), "d");
  }
  EXPECT_TRUE(net.quiet());
}

TEST_P(Failover, C_D15_OneWhoseLimitIsReachedIsPassedOverForTheNext) {
  std::latch let_go(1);
  std::atomic<int> held{0};
  for (const char* node : {"b", "c"}) {
    net.add(node, Script()
                      .on("s",
                          [&, node](Message&, Context&) {
                            ++held;
                            let_go.wait();
                            return Response::ok(std::string(node));
                          })
                      .limit(1, 0));
  }
  std::vector<std::thread> callers;
  std::atomic<int> served{0};
  for (int i = 0; i < 2; ++i) callers.emplace_back([&] { served += call(net["a"], "s").response().succeeded(); });
  EXPECT_TRUE(eventually([&] { return held == 2; })) << "whoever was picked first, both serve one";
  EXPECT_THAT(tried(call(net["a"], "s").response()), UnorderedElementsAre("b:overloaded", "c:overloaded"));
  let_go.count_down();
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(served, 2);
  EXPECT_TRUE(net.quiet());
}

// C-M9, C-R5: nor do its events.
TEST_P(Failover, C_D4_WhatAProviderAssignedThatRefusedIsForgotten) {
  const auto refuses = [](const std::string& node) {
    return Script().on("s", [node](Message& m, Context&) {
      m.assign("by", node).add_event(node);
      return Response::try_another_node("busy");
    });
  };
  net.add("a", refuses("a"));
  net.add("b", refuses("b"));
  for (const bool another : {false, true}) {
    if (another) net.add("c", answering("s", "c"));
    for (int i = 0; i < 10; ++i) {  // b is not asked each time
      const Message back = call(net["a"], Message("s").assign("mine", 1).with_dry_run(DryRun::verbose));
      EXPECT_EQ(back.response().succeeded(), another);
      EXPECT_EQ(back.assigned<int>("mine"), 1);
      EXPECT_FALSE(back.assigned<std::string>("by"));
      EXPECT_FALSE(back.has_events()) << back.events().to_json();
    }
  }
}

TEST_P(Failover, C_D4_TheAnswerReachesACallWhosePostHasNotReturned) {
  // Each answer is there before its sender has learnt that the request was taken.
  for (const char* node : {"b", "c", "d"}) {
    net.add(node, refusing("s", "busy"));
    net.link("a", node).requests.after_push([] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); });
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(tried(call(net["a"], "s").response()).size(), 3u);
  EXPECT_TRUE(net.quiet());
  for (const char* node : {"b", "c", "d"}) EXPECT_EQ(net.link("a", node).peer()->under_way(), 0) << node;
}

TEST_P(Failover, C_D5_OneBudgetHoweverManyAreTried) {
  Gate gate;
  for (const char* node : {"a", "b", "c", "d"}) {
    net.add(node, Script().on("s", [&](Message&, Context& c) {
      // Each takes what is not more than half of what it was given.
      std::this_thread::sleep_for(c.time_left() / 2);
      return Response::try_another_node("slow");
    }));
  }
  const auto begun = std::chrono::steady_clock::now();
  const Message back = call(net["a"], Message("s"), {400});
  // With a budget each it would take longer than one; with one it is 375 ms, or the timeout.
  const auto took = std::chrono::steady_clock::now() - begun;
  if (back.response().kind() == Response::Kind::service_timeout) {
    EXPECT_GE(took, std::chrono::milliseconds(400));
    EXPECT_EQ(back.response().timeout_ms(), 400u);
  } else {
    EXPECT_EQ(tried(back.response()).size(), 4u);
    EXPECT_LE(took, std::chrono::milliseconds(400));
  }
  EXPECT_TRUE(net.quiet());
}

TEST_P(Failover, C_D5_TheOthersShareWhatIsLeft) {
  std::atomic<std::int64_t> left{0};
  net.add("a", refusing("s", "no"));
  net.add("b", Script().on("s", [&](Message&, Context& c) {
    left = c.time_left().count();
    return Response::ok();
  }));
  EXPECT_TRUE(call(net["a"], Message("s"), {3'000'000}).response().succeeded());
  EXPECT_GT(left, 2'000'000'000);
  EXPECT_LE(left, 3'000'000'000);
}

TEST_P(Failover, C_D12_ListsTheLocalOneFirst) {
  for (const char* node : {"d", "c", "b", "a"}) net.add(node, answering("s", node), "router_" + std::string(node));
  std::vector<std::string> rows;
  for (const auto& p : net["a"].dispatcher().discover_service(Message("s"))) rows.push_back(p.node + ":" + p.router);
  EXPECT_THAT(rows, ElementsAre("local:router_a", "b:router_b", "c:router_c", "d:router_d"));
  EXPECT_TRUE(net["a"].dispatcher().discover_service(Message("unknown")).empty());
}

TEST_P(Failover, C_D12_APrivateLocalServiceHidesRemoteOnes) {
  std::string refusal;
  net.add("a",
          Script().on(
              "s",
              [&](Message&, Context&) {
                return refusal.empty() ? Response::ok(std::string("a")) : Response::error(refusal);
              },
              BUSBAR_SERVICE_PRIVATE),
          "router_a");
  net.add("b", answering("s", "b"));
  EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "a");
  const auto found = net["a"].dispatcher().discover_service(Message("s"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].node + ":" + found[0].router, "local:router_a");
  refusal = "overloaded";
  EXPECT_THAT(tried(call(net["a"], "s").response()), ElementsAre("local:overloaded")) << "nobody else is asked";
  EXPECT_EQ(call(net["a"], Message("s"), {0, "b"}).response().value_as<std::string>(), "b") << "unless it is named";
  EXPECT_EQ(call(net["c"], "s").response().value_as<std::string>(), "b") << "nothing is hidden from others";
}

TEST_P(Failover, C_D14_C_D15_AnOverloadedProviderIsLeftForTheNext) {
  Gate gate;
  LinkedHubs small({"a", "b", "c"}, {1, 1, 1, host::kMillisecond, host::kSecond, {}});
  small.add("b", Script()
                     .on("s", [](Message&, Context&) { return Response::ok(std::string("b")); })
                     .on("blocks", [&](Message&, Context&) {
                       gate.pass();
                       return Response::ok();
                     }));
  std::atomic<int> ended{0};
  const auto count = [&](Message&&) { ++ended; };
  small["a"].dispatcher().dispatch_async(Message("blocks"), count, {600'000, "b"});
  EXPECT_TRUE(gate.reached());
  small["a"].dispatcher().dispatch_async(Message("blocks"), count, {600'000, "b"});  // fills the queue
  EXPECT_TRUE(eventually([&] { return small["b"].pool().stats().queued == 1; }));
  const Message alone = call(small["a"], Message("s"), {600'000});
  EXPECT_THAT(tried(alone.response()), ElementsAre("b:overloaded"));
  small.add("c", answering("s", "c"));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(call(small["a"], Message("s"), {600'000}).response().value_as<std::string>(), "c");
  }
  gate.open();
  EXPECT_TRUE(eventually([&] { return ended == 2; }));
  EXPECT_TRUE(small.quiet());
}

TEST_P(Failover, C_D15_AnOverloadedLocalOneIsLeftForTheOthers) {
  net.add("a", Script().on("s", [](Message&, Context&) { return Response::error("overloaded"); }));
  EXPECT_THAT(tried(call(net["a"], "s").response()), ElementsAre("local:overloaded"));
  net.add("b", answering("s", "b"));
  EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "b");
}

TEST_P(Failover, C_D18_WhatCouldNotBeSentGoesToTheNext) {
  for (const char* node : {"b", "c", "d"}) net.add(node, answering("s", node));
  net.link("a", "b").requests.refuse_with(host::Sent::kDown);
  net.link("a", "c").requests.refuse_with(host::Sent::kFull);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "d");
  net.link("a", "d").requests.refuse_with(host::Sent::kDown);
  EXPECT_THAT(tried(call(net["a"], "s").response()), UnorderedElementsAre("b:nodedown", "c:overloaded", "d:nodedown"));
  EXPECT_TRUE(net.quiet());
}

TEST_P(Failover, C_D18_AloneItIsNodedownOrOverloaded) {
  net.add("b", answering("s", "b"));
  net.link("a", "b").requests.refuse_with(host::Sent::kDown);
  EXPECT_TRUE(call(net["a"], "s").response().is_bad_rpc("nodedown"));
  net.link("a", "b").requests.refuse_with(host::Sent::kFull);
  EXPECT_THAT(tried(call(net["a"], "s").response()), ElementsAre("b:overloaded"));
  EXPECT_TRUE(net.quiet());
}

TEST_P(Failover, C_D18_ARequestThatIsTooLargeIsNotTriedElsewhere) {
  std::atomic<int> runs{0};
  for (const char* node : {"b", "c"}) {
    net.add(node, Script().on("s", [&](Message&, Context&) {
      ++runs;
      return Response::ok();
    }));
    net.link("a", node).requests.largest(1000);
  }
  const Message back = call(net["a"], Message::of("s", std::string(2000, 'x')));
  EXPECT_TRUE(back.response().is_error(code::kMalformed)) << shown(back.response());
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(call(net["a"], "s").response().succeeded());
}

TEST_P(Failover, C_D18_WhatMayHaveBeenStartedIsNotSentAgainUnlessItIsIdempotent) {
  for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(BUSBAR_SERVICE_IDEMPOTENT)}) {
    LinkedHubs three({"a", "b", "c"});
    Gate gate;
    std::atomic<int> runs{0};
    std::atomic<bool> killed{false};
    for (const char* node : {"b", "c"}) {
      three.add(node, Script().on(
                          "s",
                          [&](Message&, Context&) {
                            ++runs;
                            if (!killed) gate.pass();
                            return Response::ok();
                          },
                          flags));
    }
    std::thread killer([&] {
      EXPECT_TRUE(gate.reached());
      killed = true;
      const char* where = three["b"].is_quiet() ? "c" : "b";  // once it is cut, the other one may not be quiet either
      three.link("a", where).cut();
    });
    const Message back = call(three["a"], Message("s"), {600'000});
    killer.join();
    gate.open();
    if (flags == 0) {
      EXPECT_TRUE(back.response().is_bad_rpc("nodedown")) << shown(back.response());
      EXPECT_EQ(runs, 1);
    } else {
      EXPECT_TRUE(back.response().succeeded()) << shown(back.response());
      EXPECT_EQ(runs, 2);
    }
    EXPECT_TRUE(three.quiet());
  }
}

TEST_P(Failover, C_D18_ANodeThatIsStoppingRefusesUnstarted) {
  net.add("b", answering("s", "b"));
  net.add("c", answering("s", "c"));
  net["b"].dispatcher().refuse_requests();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "c");
  net["c"].dispatcher().refuse_requests();
  EXPECT_THAT(tried(call(net["a"], "s").response()), UnorderedElementsAre("b:stopping", "c:stopping"));
}

TEST_P(Failover, OnlyTheNodeThatWasNamedServes) {
  for (const char* node : {"a", "b", "c"}) net.add(node, answering("s", node));
  for (const char* node : {"a", "b", "c"}) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(call(net["a"], Message("s"), {0, node}).response().value_as<std::string>(), node);
    }
  }
  EXPECT_EQ(call(net["a"], Message("s"), {0, "d"}).response().kind(), Response::Kind::service_unavailable);
  EXPECT_TRUE(call(net["a"], Message("s"), {0, "nobody"}).response().is_bad_rpc("nodedown"));
  net.link("a", "b").cut();
  EXPECT_TRUE(call(net["a"], Message("s"), {0, "b"}).response().is_bad_rpc("nodedown"));
  net.link("a", "c").requests.refuse_with(host::Sent::kDown);
  EXPECT_TRUE(call(net["a"], Message("s"), {0, "c"}).response().is_bad_rpc("nodedown"));
}

TEST_P(Failover, AServiceThatIsGoneThereIsAskedOfTheNext) {
  net.add("b", answering("s", "b"));
  net.add("c", answering("s", "c"));
  net["b"].registry().withdraw_router("p");  // a has not heard of it
  for (int i = 0; i < 10; ++i) EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "c");
  net["c"].registry().withdraw_router("p");
  EXPECT_EQ(call(net["a"], "s").response().kind(), Response::Kind::service_unavailable);
}

// As where nobody was known from the start. Warnings are made of this event.
TEST_P(Failover, C_D2_WhereTheLastOneHasItNoMoreTheServiceWasNotFound) {
  const auto log = std::make_shared<EventLog>();
  net["a"].events().subscribe(log, host::mask_of(host::EventKind::service_not_found));
  net.add("b", answering("s", "b"));
  net.add("c", answering("s", "c"));
  net["b"].registry().withdraw_router("p");  // a has not heard of it
  EXPECT_EQ(call(net["a"], "s").response().value_as<std::string>(), "c");
  EXPECT_THAT(log->names(), ElementsAre()) << "somebody has it";
  net["c"].registry().withdraw_router("p");
  const Message sought("s");
  EXPECT_EQ(call(net["a"], sought).response().kind(), Response::Kind::service_unavailable);
  ASSERT_THAT(log->names(), ElementsAre("service_not_found"));
  EXPECT_EQ(log->entries()[0].service, "s");
  EXPECT_EQ(log->entries()[0].message_id, sought.id());
  EXPECT_EQ(log->entries()[0].node, "a");
  call(net["a"], Message("s"), {0, "b"});
  EXPECT_EQ(log->count(host::EventKind::service_not_found), 2u) << "of the only one that was to be asked, too";
}

TEST_P(Failover, C_D2_OneThatIsThereButRefusesWasFound) {
  const auto log = std::make_shared<EventLog>();
  net["a"].events().subscribe(log, host::mask_of(host::EventKind::service_not_found));
  net.add("b", refusing("s", "busy"));
  EXPECT_THAT(tried(call(net["a"], "s").response()), ElementsAre("b:busy"));
  EXPECT_THAT(log->names(), ElementsAre());
}

using host::AuthorizationAnswer;

class RemoteAuthorized : public ::testing::Test {
 protected:
  AuthorizationAnswer ask(Message message = Message("s"), std::uint32_t timeout_ms = 600'000) {
    return net["a"].dispatcher().authorized(std::move(message), {timeout_ms});
  }
  Script guarded(std::function<Authorization(const Message&)> decide) {
    return Script()
        .on("s",
            [](Message&, Context&) {
              ADD_FAILURE() << "the handler ran";
              return Response::ok();
            })
        .authorize_with(std::move(decide));
  }
  LinkedHubs net{{"a", "b", "c"}};
};

TEST_F(RemoteAuthorized, C_D11_AsksTheProvidersRouter) {
  net.add("b", guarded([](const Message& m) { return m.assigned<int>("k") == 1 ? authorized() : forbidden(); }));
  EXPECT_EQ(ask(Message("s").assign("k", 1)).kind, AuthorizationAnswer::Kind::yes);
  EXPECT_EQ(ask().kind, AuthorizationAnswer::Kind::no);
  EXPECT_EQ(ask(Message("unknown")).kind, AuthorizationAnswer::Kind::service_unavailable);
}

TEST_F(RemoteAuthorized, C_D11_TheNextIsAskedWhereOneFails) {
  std::atomic<int> failed{0};
  net.add("b", guarded([&](const Message&) -> Authorization {
            ++failed;
            throw std::runtime_error("broken");
          }));
  net.add("c", guarded([](const Message&) { return authorized(); }));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(ask().kind, AuthorizationAnswer::Kind::yes);
  EXPECT_GT(failed, 0);
}

TEST_F(RemoteAuthorized, C_D11_WhereTheOneHereFailsTheOthersAreAsked) {
  net.add("a", guarded([](const Message&) -> Authorization { throw std::runtime_error("broken"); }));
  EXPECT_TRUE(ask().response.is_bad_rpc("exit"));
  net.add("b", guarded([](const Message& m) { return m.assigned<int>("k") == 1 ? authorized() : forbidden(); }));
  EXPECT_EQ(ask(Message("s").assign("k", 1)).kind, AuthorizationAnswer::Kind::yes);
  EXPECT_EQ(ask().kind, AuthorizationAnswer::Kind::no) << "a no is an answer";
}

TEST_F(RemoteAuthorized, C_D11_TheLastBadrpcIsTheAnswerWhenAllFail) {
  for (const char* node : {"b", "c"}) {
    net.add(node, guarded([](const Message&) -> Authorization { throw std::runtime_error("broken"); }));
  }
  const auto answer = ask();
  EXPECT_EQ(answer.kind, AuthorizationAnswer::Kind::failed);
  EXPECT_TRUE(answer.response.is_bad_rpc("exit")) << shown(answer.response);
  for (const char* node : {"b", "c"}) net.link("a", node).requests.refuse_with(host::Sent::kDown);
  const auto down = ask();
  EXPECT_EQ(down.kind, AuthorizationAnswer::Kind::failed);
  EXPECT_TRUE(down.response.is_bad_rpc("nodedown")) << shown(down.response);
}

TEST_F(RemoteAuthorized, C_D11_ADeadOneIsLeftForTheNext) {
  Gate gate;
  std::atomic<bool> held{true};
  for (const char* node : {"b", "c"}) {
    net.add(node, guarded([&](const Message&) {
              if (held) gate.pass();
              return authorized();
            }));
  }
  std::thread killer([&] {
    EXPECT_TRUE(gate.reached());
    held = false;
    // One alone: by the time that it is cut the call may be at the other.
    net.link("a", net["b"].is_quiet() ? "c" : "b").cut();
  });
  EXPECT_EQ(ask().kind, AuthorizationAnswer::Kind::yes);
  killer.join();
  gate.open();
  EXPECT_TRUE(net.quiet());
}

TEST_F(RemoteAuthorized, C_D11_EndsWithinItsBudget) {
  net.link("a", "b").requests.hold();
  net.add("b", guarded([](const Message&) { return authorized(); }));
  const auto answer = ask(Message("s"), 20);
  EXPECT_EQ(answer.kind, AuthorizationAnswer::Kind::failed);
  EXPECT_TRUE(answer.response.is_bad_rpc("timeout")) << shown(answer.response);
}

}  // namespace
}  // namespace busbar::testing
