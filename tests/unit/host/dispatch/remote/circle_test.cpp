// Calls that wait for each other in a circle across nodes: the one that would close it is refused at once, and all are
// named (C-D14, decision 0028). Every call here has a day: what is not refused hangs.
#include <busbar/wire/admin.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <future>
#include <thread>

#include "remote.hpp"
#include "support/event_log.hpp"

namespace busbar::testing {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;

host::PoolOptions wide_pool() { return {8, 32, 1'000, 1000 * host::kSecond, 60 * host::kSecond, {}}; }

// A handler that calls another service, and answers what it was answered.
Script::Answer calling(std::string other) {
  return [other](Message&, Context& context) { return context.dispatch(Message(other), hours(24)).response(); };
}

Script::Answer at_once() {
  return [](Message&, Context&) { return Response::ok(); };
}

// Handlers that are inside when all are, and then call each other's plugins.
class Crossing {
 public:
  explicit Crossing(int handlers) : all_inside_(handlers) {}
  Script::Answer calling(std::string other) {
    return [this, other](Message&, Context& context) {
      all_inside_.arrive_and_wait();
      const Response response = context.dispatch(Message(other), hours(24)).response();
      if (response.is_error("would_block")) ++refused_;
      return Response::ok(response.succeeded());
    };
  }
  int refused() const { return refused_; }

 private:
  std::barrier<> all_inside_;
  std::atomic<int> refused_{0};
};

// A router of which one call runs, with a service that calls and one that does not.
Script alone(const std::string& name, Script::Answer answer) {
  return Script().limit(1).on(name, std::move(answer)).on(name + "_leaf", at_once());
}

class CircleAcrossNodes : public ::testing::Test {
 protected:
  // Dispatches each at its node without waiting.
  void begin(const std::map<std::string, std::string>& calls, std::uint32_t timeout_ms = kMaxTimeoutMs) {
    for (const auto& [node, service] : calls) {
      net[node].dispatcher().dispatch_async(Message(service),
                                            [this](Message&& back) {
                                              if (back.response().succeeded()) ++ok_;
                                              ++ended_;
                                            },
                                            {timeout_ms});
    }
  }
  bool all_end(int calls) {
    return eventually([&] { return ended_ == calls; });
  }

  std::atomic<int> ended_{0}, ok_{0};
  LinkedHubs net{{"a", "b", "c"}, wide_pool()};
};

TEST_F(CircleAcrossNodes, C_D14_ACallThatComesBackToWhereItsCallerWaitsIsRefusedAndAllAreNamed) {
  auto log = std::make_shared<EventLog>();
  net["a"].events().subscribe(log, mask_of(host::EventKind::circle_refused));
  net.add("a", Script().on("x", calling("y")).limit(1));
  net.add("b", Script().on("y", calling("x")));
  Message first("x");
  const std::string id(first.id());
  const Response refused = net["a"].call(std::move(first), {kMaxTimeoutMs}).response();
  ASSERT_TRUE(refused.is_error("would_block")) << refused.error_code() << refused.text();
  const nlohmann::json calls = refused.value().to_json();
  ASSERT_EQ(calls.size(), 3u) << calls;
  EXPECT_EQ(calls[0]["service"].get<std::string>() + "@" + calls[0]["node"].get<std::string>(), "x@a");
  EXPECT_EQ(calls[1], (nlohmann::json{{"service", "x"}, {"node", "a"}, {"message_id", id}}));
  EXPECT_EQ(calls[2]["service"].get<std::string>() + "@" + calls[2]["node"].get<std::string>(), "y@b");
  const auto text_of = [&](int i) {
    return calls[i]["service"].get<std::string>() + "@" + calls[i]["node"].get<std::string>() + " (" +
           calls[i]["message_id"].get<std::string>() + ")";
  };
  EXPECT_EQ(refused.text(), "service \"x\" has its 1 calls running (max_running), and they wait for this one: " +
                                text_of(0) + " -> " + text_of(1) + " -> " + text_of(2) + " -> " + text_of(0));
  ASSERT_EQ(log->entries().size(), 1u);
  EXPECT_EQ(log->entries()[0].reason, refused.text());
  EXPECT_EQ(log->entries()[0].message_id, calls[0]["message_id"]);
  EXPECT_TRUE(net.quiet());
}

TEST_F(CircleAcrossNodes, C_D14_OneThatLeadsThroughThreeNodesIsFound) {
  net.add("a", Script().on("x", calling("y")).limit(1));
  net.add("b", Script().on("y", calling("z")).limit(1));
  net.add("c", Script().on("z", calling("x")));
  const Response refused = net["b"].call(Message("x"), {kMaxTimeoutMs}).response();
  ASSERT_TRUE(refused.is_error("would_block")) << refused.error_code() << refused.text();
  EXPECT_EQ(refused.value().to_json().size(), 4u);
  for (const char* named : {"x@a (", "y@b (", "z@c ("}) EXPECT_THAT(std::string(refused.text()), HasSubstr(named));
  EXPECT_TRUE(net.quiet());
}

TEST_F(CircleAcrossNodes, C_D14_OfTwoThatCallEachOtherOneIsRefusedAndTheOtherGoesOn) {
  for (int round = 1; round <= 20; ++round) {  // they close it at the same time, or one after the other
    Crossing crossing(2);
    net.add("a", alone("x", crossing.calling("y_leaf")), "p" + std::to_string(round));
    net.add("b", alone("y", crossing.calling("x_leaf")), "q" + std::to_string(round));
    begin({{"a", "x"}, {"b", "y"}});
    ASSERT_TRUE(all_end(2 * round));
    EXPECT_EQ(ok_, 2 * round);
    EXPECT_EQ(crossing.refused(), 1) << "in round " << round;
    ASSERT_TRUE(net.quiet());
    net["a"].registry().withdraw_router("p" + std::to_string(round));
    net["b"].registry().withdraw_router("q" + std::to_string(round));
    net.announce("a");
    net.announce("b");
  }
}

TEST_F(CircleAcrossNodes, C_D14_OfThreeThatCallEachOtherOneIsRefused) {
  Crossing crossing(3);
  net.add("a", alone("x", crossing.calling("y_leaf")));
  net.add("b", alone("y", crossing.calling("z_leaf")));
  net.add("c", alone("z", crossing.calling("x_leaf")));
  begin({{"a", "x"}, {"b", "y"}, {"c", "z"}});
  ASSERT_TRUE(all_end(3));
  EXPECT_EQ(ok_, 3);
  EXPECT_EQ(crossing.refused(), 1);
}

TEST_F(CircleAcrossNodes, NobodyIsRefusedWhereOneInsideDoesNotWait) {
  Crossing crossing(2);
  Gate gate;
  net.add("a", Script()
                   .limit(2)
                   .on("x", crossing.calling("y_leaf"))
                   .on("x_leaf", at_once())
                   .on("stays", [&](Message&, Context&) {
                     gate.pass();
                     return Response::ok();
                   }));
  net.add("b", alone("y", crossing.calling("x_leaf")));
  std::atomic<int> told{0};
  net.link("b", "a").answers.decide([&](const wire::Envelope& envelope) {
    if (envelope.type == wire::EnvelopeType::document) ++told;
    return Fate::pass;
  });
  begin({{"a", "stays"}});
  ASSERT_TRUE(gate.reached());
  begin({{"a", "x"}, {"b", "y"}});
  const auto instance_a = net["a"].instance("p");
  const auto instance_b = net["b"].instance("p");
  ASSERT_TRUE(eventually([&] { return instance_a->calls_inside() == 3 && instance_b->calls_inside() == 2; }));
  ASSERT_TRUE(eventually([&] { return told >= 1; })) << "b has asked a what its call waits for there";
  gate.open();
  ASSERT_TRUE(all_end(3));
  EXPECT_EQ(ok_, 3);
  EXPECT_EQ(crossing.refused(), 0);
}

TEST_F(CircleAcrossNodes, C_D18_AnotherProviderIsAskedAndOnlyIfThereIsNoneTheCircleIsTheAnswer) {
  net.add("a", Script().on("x", calling("y")).limit(1));
  net.add("b", Script().on("y", [](Message&, Context& context) {
    return Response::ok(context.dispatch(Message("x"), hours(24)).response().text().empty());
  }));
  EXPECT_FALSE(net["a"].call(Message("x"), {kMaxTimeoutMs}).response().value_as<bool>());
  net.add("c", Script().on("x", at_once()));
  // Of b's two providers one is picked: whichever comes first, the call is served by c.
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(net["a"].call(Message("x"), {kMaxTimeoutMs}).response().value_as<bool>());
}

TEST_F(CircleAcrossNodes, C_R6_OneThatLeadsThroughAForwardedCallIsFound) {
  const auto to_c = [](const Message&) { return std::string("c"); };
  net.add("a", Script()
                   .on("x", [](Message&,
                               Context& context) { return context.dispatch(Message("placed"), hours(24)).response(); })
                   .limit(1));
  net.add("b", Script().on("placed", at_once()).choose_with(to_c));
  // b alone announces it, so that it is asked first.
  net["c"].add("p", Script().on("placed", calling("x")));
  const Response refused = net["a"].call(Message("x"), {kMaxTimeoutMs}).response();
  ASSERT_TRUE(refused.is_error("would_block")) << refused.error_code() << refused.text();
  EXPECT_THAT(std::string(refused.text()), HasSubstr("placed@c ("));
}

// Lets so many of a node's queries through.
Lane::Decide first_queries(int most) {
  return [left = most](const wire::Envelope& envelope) mutable {
    return envelope.type == wire::EnvelopeType::query && --left < 0 ? Fate::drop : Fate::pass;
  };
}

// None: a node of an older version, say. One: what was told once may have been of several moments.
TEST_F(CircleAcrossNodes, WithoutBeingToldTwiceNobodyIsRefusedBeforeItsTimeIsOver) {
  int calls = 0;
  for (const int told : {0, 1}) {
    Crossing crossing(2);
    const std::string plugin = "told_" + std::to_string(told);
    net.add("a", alone("x", crossing.calling("y_leaf")), plugin);
    net.add("b", alone("y", crossing.calling("x_leaf")), plugin);
    net.link("a", "b").requests.decide(first_queries(told));
    net.link("b", "a").requests.decide(first_queries(told));
    begin({{"a", "x"}, {"b", "y"}}, 150);
    ASSERT_TRUE(all_end(calls += 2));
    EXPECT_EQ(crossing.refused(), 0);
    for (const char* node : {"a", "b"}) {
      ASSERT_TRUE(net[node].quiet());
      net[node].registry().withdraw_router(plugin);
      net.announce(node);
    }
  }
}

// Many calls through three limited services of three nodes, none of which calls back: whoever is refused was refused
// for a circle that there never was.
TEST_F(CircleAcrossNodes, CallsThatWaitInOneDirectionAreNeverTakenForACircle) {
  net.add("a", Script().on("x", calling("y")).limit(2));
  net.add("b", Script().on("y", calling("z")).limit(1));
  net.add("c", Script().on("z", at_once()).limit(1));
  std::atomic<int> ok{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&, node = i % 2 == 0 ? "a" : "c"] {
      for (int n = 0; n < 100; ++n) {
        if (net[node].call(Message(n % 3 == 0 ? "y" : "x"), {kMaxTimeoutMs}).response().succeeded()) ++ok;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(ok, 600);
}

// What a node is asked about the waits of its calls.
class WaitsAsked : public CircleAcrossNodes {
 protected:
  wire::AdminAnswer ask(const std::string& node, const nlohmann::json& about) {
    wire::AdminRequest question;
    question.verb = wire::admin_verb::kWaits;
    question.request = cbor::from_json(about);
    std::promise<Message> told;
    net["a"].dispatcher().query_async(
        node, Payload::of(question), [&](Message&& outcome) { told.set_value(std::move(outcome)); }, 60'000);
    return told.get_future().get().response().value_as<wire::AdminAnswer>();
  }
};

TEST_F(WaitsAsked, ACallThatIsNotThereWaitsForNothing) {
  const auto answer = ask("b", {{"from", "a"}, {"to", "b"}, {"attempt", 77}, {"message_id", "m"}});
  ASSERT_TRUE(answer.document);
  EXPECT_EQ(cbor::to_json(*answer.document), nlohmann::json::parse(R"({"first":[],"waits":[]})"));
}

TEST_F(WaitsAsked, WhatCannotBeReadOrIsForAnotherNodeIsSaidInWords) {
  const auto other = ask("b", {{"from", "a"}, {"to", "c"}, {"attempt", 77}, {"message_id", "m"}});
  ASSERT_TRUE(other.error);
  EXPECT_EQ(other.error->code, "malformed");
  EXPECT_THAT(other.error->text, HasSubstr("it was sent to \"c\", and this is node \"b\""));
  const auto unfit = ask("b", {{"from", 1}});
  ASSERT_TRUE(unfit.error);
  EXPECT_EQ(unfit.error->code, "malformed");
}

}  // namespace
}  // namespace busbar::testing
