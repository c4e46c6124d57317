// What a service at another node is given, and what comes back from it.
#include "remote.hpp"

namespace busbar::testing {
namespace {

class Provider : public RemoteTest {
 protected:
  LinkedHubs net{{"a", "b"}};
};
BUSBAR_BOTH_FORMS(Provider);

TEST_P(Provider, C_R1_RefusesAPrivateServiceToAPeerThatAsksByName) {
  std::atomic<int> runs{0};
  const auto count = [&](Message&, Context&) {
    ++runs;
    return Response::ok();
  };
  net.add("b", Script().on("secret", count, BUSBAR_SERVICE_PRIVATE).on("open", count));
  EXPECT_EQ(call(net["a"], "secret").response().kind(), Response::Kind::service_unavailable);
  // Also for a peer that asks all the same, because somebody named the node.
  EXPECT_EQ(call(net["a"], Message("secret"), {0, "b"}).response().kind(), Response::Kind::service_unavailable);
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(call(net["a"], Message("open"), {0, "b"}).response().succeeded());
  EXPECT_TRUE(call(net["b"], "secret").response().succeeded());
  EXPECT_EQ(runs, 2);
}

TEST_P(Provider, C_R3_AuthorizesWhereItIsServedAndSeesTheAssigns) {
  std::atomic<int> asked{0};
  net.add("b", answering("guarded", "in").authorize_with([&](const Message& m) {
    ++asked;
    return m.assigned<std::string>("user") == "ann" ? authorized() : forbidden();
  }));
  EXPECT_TRUE(call(net["a"], "guarded").response().is_error("forbidden"));
  EXPECT_TRUE(call(net["a"], Message("guarded").assign("user", std::string("ann"))).response().succeeded());
  EXPECT_EQ(asked, 2);
}

TEST_P(Provider, C_R3_IsNotLetThroughByARefusalOfItsOwnWords) {
  net.add("b", answering("guarded", "in").authorize_with([](const Message&) { return refused("late", "tomorrow"); }));
  const Message back = call(net["a"], "guarded");
  EXPECT_TRUE(back.response().is_error("late"));
  EXPECT_EQ(back.response().text(), "tomorrow");
}

TEST_P(Provider, C_R4_AnswersLaterFromAnotherThreadAndOnce) {
  // Shared: the handler may still be inside set_value when the answer has come.
  const auto handed = std::make_shared<std::promise<std::shared_ptr<ReplyHandle>>>();
  int second = -1;
  std::thread later([&second, taken = handed->get_future()]() mutable {
    const auto handle = taken.get();
    EXPECT_TRUE(handle->reply(Response::ok(42)));
    second = handle->reply(Response::ok(0)) ? 1 : 0;
  });
  net.add("b", Script().defer("deferred", [handed](Message&, Context& c) {
    handed->set_value(std::make_shared<ReplyHandle>(c.reply_handle()));
  }));
  EXPECT_EQ(call(net["a"], Message::of("deferred", 41)).response().value_as<int>(), 42);
  later.join();
  EXPECT_EQ(second, 0);
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(net["a"].dispatcher().late_answers(), 0u);
}

TEST_P(Provider, C_R4_AnswersAtOnceForAHandleThatWasDropped) {
  for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(BUSBAR_SERVICE_INLINE)}) {
    net["b"].registry().withdraw_router("p");
    net.add("b", Script().defer(
                     "dropped", [](Message&, Context&) {}, flags));
    const Message back = call(net["a"], Message("dropped"), {60'000});
    EXPECT_TRUE(back.response().is_bad_rpc("bad_return"));
    EXPECT_EQ(back.response().text(), "reply dropped");
  }
}

TEST_P(Provider, C_M9_ReturnsTheAssignsAndNeitherRequestNorEvents) {
  net.add("b", Script().on("works", [](Message& m, Context&) {
    m.assign("count", m.assigned<int>("count").value_or(0) + 1).add_event(7);
    return Response::ok();
  }));
  for (const DryRun dry_run : {DryRun::no, DryRun::yes, DryRun::verbose}) {
    Message message = Message::of("works", std::string("input"));
    message.assign("count", 1).assign("kept", true).with_dry_run(dry_run).with_correlation("story");
    const std::string id(message.id());
    const Message back = call(net["a"], std::move(message));
    ASSERT_TRUE(back.response().succeeded()) << shown(back.response());
    EXPECT_EQ(back.id(), id);
    EXPECT_EQ(back.correlation_id(), "story");
    EXPECT_EQ(back.assigned<int>("count"), 2);
    EXPECT_EQ(back.assigned<bool>("kept"), true);
    EXPECT_TRUE(back.raw_request().empty());
    EXPECT_TRUE(back.request().empty());
    EXPECT_EQ(back.events_json().size(), dry_run == DryRun::verbose ? 1u : 0u);
  }
}

TEST_P(Provider, C_R5_LeavesAssignsAloneThatTheHandlerDidNotChange) {
  net.add("b", answering("works", "x"));
  const Message back = call(net["a"], Message("works").assign("mine", 5));
  EXPECT_EQ(back.assigned<int>("mine"), 5);
}

TEST_P(Provider, EveryResponseComesThroughWhole) {
  const std::vector<Response> all = {
      Response::ok(),
      Response::ok(5),
      Response::ok(5, 6),
      Response::ok_version(7),
      Response::created("id"),
      Response::created("id", 8),
      Response::missing_id("f"),
      Response::error("own", "text", Payload::of(9)),
      Response::validation_error_payload(Payload::from_json(nlohmann::json::array({1, 2})))};
  std::size_t which = 0;
  net.add("b", Script().on("answers", [&](Message&, Context&) { return all[which]; }));
  for (; which < all.size(); ++which) {
    const Message back = call(net["a"], "answers");
    const Response& r = back.response();
    EXPECT_EQ(r.kind(), all[which].kind()) << which;
    EXPECT_EQ(r.version(), all[which].version()) << which;
    EXPECT_EQ(r.id(), all[which].id()) << which;
    EXPECT_EQ(r.field(), all[which].field()) << which;
    EXPECT_EQ(r.error_code(), all[which].error_code()) << which;
    EXPECT_EQ(r.text(), all[which].text()) << which;
    EXPECT_TRUE(std::ranges::equal(r.value().bytes(), all[which].value().bytes())) << which;
  }
}

TEST_P(Provider, C_D7_ThatThrowsIsAnsweredAtOnce) {
  for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(BUSBAR_SERVICE_INLINE)}) {
    net["b"].registry().withdraw_router("p");
    net.add("b", Script().on(
                     "throws", [](Message&, Context&) -> Response { throw std::runtime_error("it broke"); }, flags));
    const Message back = call(net["a"], Message("throws"), {600'000});
    EXPECT_TRUE(back.response().is_bad_rpc("exit")) << shown(back.response());
    EXPECT_THAT(std::string(back.response().text()), ::testing::HasSubstr("it broke"));
  }
}

TEST_P(Provider, C_D10_IsValidatedThere) {
  net.add("b", Script().on(
                   "checks",
                   [](Message& m, Context&) {
                     if (m.dry_run() == DryRun::no) return Response::ok(std::string("done"));
                     return m.raw_request_as<int>() > 0 ? Response::ok_version(3) : Response::error("negative");
                   },
                   BUSBAR_SERVICE_DRY_RUN_SAFE));
  for (const DryRun dry_run : {DryRun::no, DryRun::verbose}) {
    Message message = Message::of("checks", 1);
    message.with_dry_run(dry_run);
    net["a"].dispatcher().validate(message);
    EXPECT_EQ(message.response().version(), 3) << shown(message.response());
    EXPECT_EQ(message.dry_run(), dry_run == DryRun::no ? DryRun::yes : DryRun::verbose);
  }
  Message bad = Message::of("checks", -1);
  net["a"].dispatcher().validate(bad);
  EXPECT_TRUE(bad.response().is_error("negative"));
}

TEST_P(Provider, C_D1_IsNotAskedForAHaltedMessage) {
  net.add("b", answering("works", "x"));
  Message halted("works");
  halted.respond(Response::error("own"));
  EXPECT_TRUE(call(net["a"], std::move(halted)).response().is_error("own"));
  EXPECT_EQ(net.link("a", "b").peer()->under_way(), 0);
}

TEST_P(Provider, C_D17_InlineRunsForAPeerToo) {
  net.add("b", answering("quick", "x", BUSBAR_SERVICE_INLINE));
  EXPECT_EQ(call(net["a"], "quick").response().value_as<std::string>(), "x");
  EXPECT_TRUE(net.quiet());
}

}  // namespace
}  // namespace busbar::testing
