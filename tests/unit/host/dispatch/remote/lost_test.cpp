// Providers that die while calls are under way (C-D9), and calls that cross.
#include "dispatch/call_slab.hpp"
#include "remote.hpp"

namespace busbar::testing {
namespace {

class Lost : public RemoteTest {
 protected:
  LinkedHubs net{{"a", "b"}};
};
BUSBAR_BOTH_FORMS(Lost);

TEST_P(Lost, C_D9_AllCallsThatAreUnderWayEndAtOnce) {
  constexpr int kCalls = 64;
  std::atomic<int> nodedown{0}, ended{0};
  std::atomic<int> requests{0};
  net.add("b", answering("s", "b"));
  net.link("a", "b").requests.decide([&](const wire::Envelope&) {
    ++requests;
    return Fate::hold;
  });
  const auto judge = [&](const Message& back) {
    if (back.response().is_bad_rpc("nodedown")) ++nodedown;
    ++ended;
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    if (GetParam() == Form::async) {
      net["a"].dispatcher().dispatch_async(Message("s"), [&](Message&& back) { judge(back); }, {86'400'000});
    } else {
      callers.emplace_back([&] { judge(net["a"].call(Message("s"), {86'400'000})); });
    }
  }
  EXPECT_TRUE(eventually([&] { return requests == kCalls; }));
  net.link("a", "b").cut();
  EXPECT_TRUE(eventually([&] { return ended == kCalls; }));
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(nodedown, kCalls);
  EXPECT_TRUE(net.quiet());
  // And none is sent there until it is back.
  EXPECT_EQ(net["a"].call(Message("s")).response().kind(), Response::Kind::service_unavailable);
  net.link("a", "b").requests.decide({});
  net.link("a", "b").restore();
  EXPECT_TRUE(net["a"].call(Message("s")).response().succeeded());
}

TEST_P(Lost, C_D9_CallsToOthersGoOn) {
  LinkedHubs three({"a", "b", "c"});
  Gate gate;
  three.add("b", Script().on("s", [&](Message&, Context&) {
    gate.pass();
    return Response::ok(1);
  }));
  std::thread cutter([&] {
    EXPECT_TRUE(gate.reached());
    three.link("a", "c").cut();
    gate.open();
  });
  EXPECT_EQ(call(three["a"], Message("s"), {600'000}).response().value_as<int>(), 1);
  cutter.join();
}

TEST_P(Lost, C_D9_ConnectionLostBetweenTakingAndLearningOfIt) {
  net.add("b", answering("s", "b"));
  net.link("a", "b").requests.hold();
  std::atomic<bool> once{false};
  net.link("a", "b").requests.after_push([&] {
    if (!once.exchange(true)) net.link("a", "b").cut();
  });
  EXPECT_TRUE(call(net["a"], Message("s"), {600'000}).response().is_bad_rpc("nodedown"));
  EXPECT_TRUE(net.quiet());
}

TEST_P(Lost, C_D18_ConnectionLostBeforeItTakesARequestWhichGoesToTheNext) {
  LinkedHubs three({"a", "b", "c"});
  for (const char* node : {"b", "c"}) three.add(node, answering("s", node));
  Link& lost = three.link("a", "b");
  lost.requests.before_push([&] {
    if (lost.peer()->routable()) lost.cut();
  });
  // Which one is asked first is a matter of chance.
  for (int i = 0; i < 20; ++i) {
    const Message back = call(three["a"], Message("s"), {600'000});
    EXPECT_TRUE(back.response().succeeded()) << shown(back.response());
    lost.restore();
  }
  EXPECT_TRUE(three.quiet());
}

// However a call ends, its slot comes back: they are never more than what is under way, and what threads keep at hand.
TEST_P(Lost, C_D6_EverySlotComesBack) {
  LinkedHubs three({"a", "b", "c"});
  for (const char* node : {"b", "c"}) {
    three.add(node, Script()
                        .on("good", [](Message&, Context&) { return Response::ok(); })
                        .on("picky", [](Message&, Context&) { return Response::try_another_node("no"); })
                        .on("throws", [](Message&, Context&) -> Response { throw std::runtime_error("x"); })
                        .defer("dropped", [](Message&, Context&) {}));
    three.add(node, answering("placed", node).choose_with([](const Message&) { return std::string("c"); }), "placing");
  }
  const auto slots = [] {
    std::size_t count = 0;
    host::CallSlab::instance().for_each([&](host::Call&) { ++count; });
    return count;
  };
  constexpr int kCalls = 1000;
  const std::size_t before = slots();
  for (const char* service : {"good", "picky", "throws", "dropped", "placed"}) {
    for (int i = 0; i < kCalls; ++i) call(three["a"], Message(service), {600'000});
  }
  three.link("a", "b").requests.refuse_with(host::Sent::kDown);
  three.link("a", "c").requests.refuse_with(host::Sent::kFull);
  for (int i = 0; i < kCalls; ++i) call(three["a"], Message("good"), {600'000});
  for (const char* node : {"b", "c"}) {
    three.link("a", node).requests.refuse_with(host::Sent::kYes);
    three.link("a", node).requests.decide([](const wire::Envelope&) { return Fate::drop; });
  }
  for (int i = 0; i < kCalls; ++i) {
    if (GetParam() == Form::blocking && i < kCalls * 6 / 10) {
      call(three["a"], Message("good"), {1});
    } else {
      static_cast<void>(
          three["a"].dispatcher().dispatch_cancellable(Message("good"), [](Message&&) {}, {600'000}).cancel());
    }
  }
  EXPECT_TRUE(three.quiet());
  EXPECT_LT(slots() - before, kCalls / 2);
}

class Nested : public RemoteTest {};
BUSBAR_BOTH_FORMS(Nested);

// a calls b, which calls a, which calls b: with as many threads as that takes and no more.
TEST_P(Nested, C_D14_CallsThatCrossAndComeBackDoNotDeadlock) {
  for (const unsigned threads : {1u, 2u}) {
    LinkedHubs net({"a", "b"}, {threads, 64, 1000, host::kMillisecond, host::kSecond, {}});
    const auto step = [](const std::string& next) {
      return [next](Message& m, Context& c) {
        const int depth = m.raw_request_as<int>();
        if (depth == 0) return Response::ok(std::string("end"));
        const Message back = c.call(next, depth - 1);
        if (!back.response().succeeded()) return back.response();
        return Response::ok(back.response().value_as<std::string>() + "<" + next);
      };
    };
    net.add("a", Script().on("at_a", step("at_b")));
    net.add("b", Script().on("at_b", step("at_a")));
    EXPECT_EQ(call(net["a"], Message::of("at_b", 3), {600'000}).response().value_as<std::string>(),
              "end<at_a<at_b<at_a");
    // And many at once, from both sides.
    std::atomic<int> good{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([&, i] {
        const Message back = i % 2 == 0 ? call(net["a"], Message::of("at_b", 3), {600'000})
                                        : call(net["b"], Message::of("at_a", 3), {600'000});
        if (back.response().succeeded())
          ++good;
        else
          ADD_FAILURE() << shown(back.response());
      });
    }
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(good, 8);
    EXPECT_TRUE(net.quiet());
  }
}

TEST_P(Nested, C_D17_AnInlineServiceThatServesAPeerMustNotWait) {
  LinkedHubs net({"a", "b"});
  net.add("a", answering("inner", "a"));
  net.add("b", Script().on(
                   "outer", [](Message&, Context& c) { return c.call("inner", 1).response(); }, BUSBAR_SERVICE_INLINE));
  EXPECT_TRUE(call(net["a"], "outer").response().is_error("would_block"));
}

}  // namespace
}  // namespace busbar::testing
