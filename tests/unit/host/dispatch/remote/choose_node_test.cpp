// A call runs where its router says (C-R6).
#include "remote.hpp"
#include "support/event_log.hpp"
#include "support/raw_requester.hpp"

namespace busbar::testing {
namespace {

using wire::EnvelopeType;

class ChooseNode : public RemoteTest {
 protected:
  // A router that says where it runs, and counts what it is asked.
  Script placed(const std::string& node, std::uint32_t flags = 0) {
    return Script()
        .on(
            "placed",
            [this, node](Message& m, Context&) {
              m.assign("ran_on", node);
              if (hold_at == node) gate.pass();
              return Response::ok(node);
            },
            flags)
        .authorize_with([this, node](const Message&) {
          ++authorized_at[node == "b" ? 0 : 1];
          return authorized();
        })
        .choose_with([this, node](const Message&) {
          ++chosen_at[node == "b" ? 0 : 1];
          return chosen;
        });
  }
  // Asks b, whatever others offer.
  Message ask_b(std::uint32_t timeout_ms = 600'000) { return call(net["a"], Message("placed"), {timeout_ms, "b"}); }

  std::string chosen = "c", hold_at;
  Gate gate;
  std::atomic<int> authorized_at[2] = {}, chosen_at[2] = {};
  LinkedHubs net{{"a", "b", "c"}};
};
BUSBAR_BOTH_FORMS(ChooseNode);

TEST_P(ChooseNode, C_R6_IsForwardedByTheFirstAndAskedNothingAtTheChosenOne) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  const Message back = ask_b();
  ASSERT_TRUE(back.response().succeeded()) << shown(back.response());
  EXPECT_EQ(back.response().value_as<std::string>(), "c");
  EXPECT_EQ(back.assigned<std::string>("ran_on"), "c");
  EXPECT_EQ(authorized_at[0], 1);
  EXPECT_EQ(chosen_at[0], 1);
  EXPECT_EQ(authorized_at[1], 0);
  EXPECT_EQ(chosen_at[1], 0);
  EXPECT_TRUE(net.quiet());
}

TEST_P(ChooseNode, C_R6_AnswersStraightToTheCallersNode) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  std::atomic<int> from_b{0}, from_c{0};
  net.link("a", "b").answers.decide([&](const wire::Envelope& e) {
    if (e.type == EnvelopeType::answer) ++from_b;
    return Fate::pass;
  });
  net.link("c", "a").requests.decide([&](const wire::Envelope& e) {
    if (e.type == EnvelopeType::answer) ++from_c;
    return Fate::pass;
  });
  EXPECT_TRUE(ask_b().response().succeeded());
  EXPECT_EQ(from_b, 0);
  EXPECT_EQ(from_c, 1);
}

TEST_P(ChooseNode, C_R6_IsForwardedOnceAtMost) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  chosen = "c";
  std::atomic<int> to_c{0};
  net.link("b", "c").requests.decide([&](const wire::Envelope& e) {
    to_c += e.is_forwarded ? 1 : 0;
    return Fate::pass;
  });
  // c would choose b: it is not asked.
  net["c"].registry().withdraw_router("p");
  net.add("c", placed("c").choose_with([](const Message&) { return std::string("b"); }));
  EXPECT_EQ(ask_b().response().value_as<std::string>(), "c");
  EXPECT_EQ(to_c, 1);
}

TEST_P(ChooseNode, C_R6_RunsHereWhereItSaysSoOrNothing) {
  net.add("b", placed("b"));
  for (const char* here : {"", "b"}) {
    chosen = here;
    EXPECT_EQ(ask_b().response().value_as<std::string>(), "b");
  }
}

TEST_P(ChooseNode, C_R6_AnUnknownNodeAnswersNodedownAtOnce) {
  net.add("b", placed("b"));
  chosen = "nowhere";
  const Message back = ask_b();
  EXPECT_TRUE(back.response().is_bad_rpc("nodedown")) << shown(back.response());
  EXPECT_THAT(std::string(back.response().text()), ::testing::HasSubstr("nowhere"));
}

TEST_P(ChooseNode, C_R6_ADeadNodeAnswersNodedownAtOnce) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  net.kill("c");
  EXPECT_TRUE(ask_b().response().is_bad_rpc("nodedown"));
  EXPECT_TRUE(net.quiet());
}

TEST_P(ChooseNode, C_R6_ANodeThatOnlyTheFirstIsConnectedToAnswersNodedown) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  net.link("a", "c").cut();
  net.link("c", "a").cut();  // its answer might be quicker than the word of the one that forwards
  EXPECT_TRUE(ask_b().response().is_bad_rpc("nodedown"));
}

TEST_P(ChooseNode, C_R6_C_D9_TheChosenNodeDiesWhileItRuns) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  hold_at = "c";
  std::thread killer([&] {
    EXPECT_TRUE(gate.reached());
    // The word is at a when nothing is on its way any more: the gate was reached through another connection.
    EXPECT_TRUE(eventually([&] { return net.link("a", "b").peer()->under_way() == 0; }));
    net.kill("c");
  });
  const Message back = ask_b();
  killer.join();
  gate.open();
  EXPECT_TRUE(back.response().is_bad_rpc("nodedown")) << shown(back.response());
  EXPECT_TRUE(net.quiet());
}

TEST_P(ChooseNode, C_R6_TheNodeThatForwardedMayDieMeanwhile) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  hold_at = "c";
  std::atomic<int> words{0};
  net.link("a", "b").answers.decide([&](const wire::Envelope&) {
    ++words;
    return Fate::pass;
  });
  std::thread killer([&] {
    EXPECT_TRUE(gate.reached());
    EXPECT_TRUE(eventually([&] { return words == 1; }));
    if (GetParam() == Form::async) {
      EXPECT_TRUE(eventually([&] { return net.link("a", "b").peer()->under_way() == 0; }));
      net.kill("b");
    }
    gate.open();
  });
  const Message back = ask_b();
  killer.join();
  EXPECT_EQ(back.response().value_as<std::string>(), "c");
}

TEST_P(ChooseNode, C_R6_TheAnswerMayComeBeforeTheWord) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  net.link("a", "b").answers.hold();
  EXPECT_EQ(ask_b().response().value_as<std::string>(), "c");
  net.link("a", "b").answers.release();
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(ask_b().response().value_as<std::string>(), "c");
}

TEST_P(ChooseNode, C_R6_TheChosenNodeIsWhoAnsweredWhicheverComesFirst) {
  for (const char* node : {"a", "b", "c"}) net.add(node, placed(node));
  const auto log = std::make_shared<EventLog>();
  net["a"].events().subscribe(log, host::mask_of(host::EventKind::service_responded));
  for (const char* node : {"b", "c", "a"}) {
    chosen = node;
    for (const bool overtaken : {false, true}) {
      if (overtaken && chosen != "b") net.link("a", "b").answers.hold();
      EXPECT_EQ(ask_b().response().value_as<std::string>(), node);
      net.link("a", "b").answers.release();
      EXPECT_EQ(log->entries().back().node, node) << overtaken;
    }
  }
  EXPECT_TRUE(net.quiet());
}

TEST_P(ChooseNode, C_R6_C_D4_WhoServesItAfterTheChosenNodeHasRefusedIsWhoAnswered) {
  LinkedHubs four{{"a", "b", "c", "d"}};
  four.add("b", placed("b"));
  four.add("c", refusing("placed", "busy"));
  four.add("d", answering("placed", "d"));
  const auto log = std::make_shared<EventLog>();
  four["a"].events().subscribe(log, host::mask_of(host::EventKind::service_responded));
  // That b is asked before d is a matter of chance, of one in two.
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(call(four["a"], "placed").response().value_as<std::string>(), "d");
    EXPECT_EQ(log->entries().back().node, "d");
  }
}

TEST_P(ChooseNode, C_R6_TheCallersNodeMayBeTheChosenOne) {
  net.add("a", placed("a"));
  net.add("b", placed("b"));
  chosen = "a";
  EXPECT_EQ(ask_b().response().value_as<std::string>(), "a");
  EXPECT_TRUE(net.quiet());
}

TEST_P(ChooseNode, C_R6_C_D17_AnInlineServiceChoosesNoOtherNode) {
  net.add("b", placed("b", BUSBAR_SERVICE_INLINE));
  net.add("c", placed("c"));
  const Message back = ask_b();
  EXPECT_TRUE(back.response().is_bad_rpc("bad_return")) << shown(back.response());
  EXPECT_THAT(std::string(back.response().text()), ::testing::HasSubstr("inline"));
}

TEST_P(ChooseNode, C_R6_ANameThatIsNoneIsRefused) {
  net.add("b", placed("b"));
  chosen = "no name";
  EXPECT_TRUE(ask_b().response().is_bad_rpc("bad_return"));
}

TEST_P(ChooseNode, C_R6_AlsoForACallerOnItsOwnNode) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  EXPECT_EQ(call(net["b"], "placed").response().value_as<std::string>(), "c");
  EXPECT_EQ(authorized_at[0], 1);
  EXPECT_EQ(authorized_at[1], 0);
  EXPECT_EQ(chosen_at[1], 0);
  net.kill("c");
  EXPECT_TRUE(call(net["b"], Message("placed"), {600'000}).response().is_bad_rpc("nodedown"));
}

TEST_P(ChooseNode, C_R6_ForwardingIsRefusedWhereTooMuchWaits) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  net.link("b", "c").requests.refuse_with(host::Sent::kFull);
  EXPECT_THAT(tried(ask_b().response()), ::testing::ElementsAre("b:overloaded"));
  net.link("b", "c").requests.refuse_with(host::Sent::kDown);
  EXPECT_TRUE(ask_b().response().is_bad_rpc("nodedown"));
  net.link("b", "c").requests.refuse_with(host::Sent::kTooLarge);
  EXPECT_TRUE(ask_b().response().is_error(code::kMalformed));
}

// Its answer could not reach the node that waits: the one that has forwarded the call passes it on.
TEST_P(ChooseNode, C_R6_AChosenNodeThatCannotReachTheCallersSaysSoAtOnce) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  const auto expect_refused = [&](const std::string& how) {
    const Message back = ask_b(10'000);
    EXPECT_TRUE(back.response().is_bad_rpc("nodedown")) << how << ": " << shown(back.response());
    EXPECT_THAT(std::string(back.response().text()), ::testing::HasSubstr("no connection to node \"a\"")) << how;
    EXPECT_TRUE(net.quiet()) << how;
  };
  net.link("c", "a").cut();
  expect_refused("not connected");
  net["c"].registry().remove_node(net.link("c", "a").peer());
  expect_refused("not known");
  // Nor does it know the one that has forwarded the call, which therefore hears of it on its own connection.
  net["c"].registry().remove_node(net.link("c", "b").peer());
  expect_refused("nobody known");
}

TEST_P(ChooseNode, C_R6_C_D18_WhatTheChosenNodeRefusesReachesTheCaller) {
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  net["c"].dispatcher().refuse_requests();
  EXPECT_THAT(tried(ask_b(10'000).response()), ::testing::ElementsAre("b:stopping"));
  net["c"].registry().remove_node(net.link("c", "a").peer());
  EXPECT_THAT(tried(ask_b(10'000).response()), ::testing::ElementsAre("b:stopping"));
}

TEST_P(ChooseNode, C_R6_AThatDoesNotServeItIsNotAvailable) {
  net.add("b", placed("b"));
  EXPECT_EQ(ask_b().response().kind(), Response::Kind::service_unavailable);
}

TEST(ChooseNodeOfClients, C_R6_AreAnsweredThroughTheirEntryNode) {
  LinkedHubs net{{"a", "b", "c"}};
  const auto placed = [](const std::string& node) {
    return answering("placed", node).choose_with([](const Message&) { return std::string("c"); });
  };
  net.add("b", placed("b"));
  net.add("c", placed("c"));
  const auto client = std::make_shared<RawRequester>(wire::Role::client, "cli");
  const Message message("placed");
  wire::Envelope request = request_for(message, 7, 60'000'000);
  request.only_node = "b";
  net.link("a", "b").answers.hold();  // the word of it comes too late
  ask(net["a"], client, request);
  const auto back = client->wait_for(7);
  EXPECT_EQ(back.response.value_as<std::string>(), "c");
  EXPECT_EQ(back.node, "c") << "who answered";
}

TEST(ChooseNodeOfClients, C_R6_CannotForward) {
  LinkedHubs net{{"a", "b"}};
  std::atomic<int> runs{0};
  net.add("a", Script()
                   .on("guarded",
                       [&](Message&, Context&) {
                         ++runs;
                         return Response::ok();
                       })
                   .authorize_with([](const Message&) { return forbidden(); }));
  const auto client = std::make_shared<RawRequester>(wire::Role::client, "cli");
  const Message message("guarded");
  wire::Envelope request = request_for(message, 7, 60'000'000);
  request.is_forwarded = true;
  ask(net["a"], client, request);
  EXPECT_TRUE(client->wait_for(7).response.is_error("forbidden"));
  EXPECT_EQ(runs, 0);
  // A node may: whoever forwards has asked.
  const auto node = std::make_shared<RawRequester>(wire::Role::node, "z");
  ask(net["a"], node, request);
  EXPECT_TRUE(node->wait_for(7).response.succeeded());
}

TEST(ChooseNodeOfNodes, C_R6_AForwardedRequestThatIsMalformedIsAnsweredToWhoWaits) {
  LinkedHubs net{{"a", "c"}};
  const auto forwarder = std::make_shared<RawRequester>(wire::Role::node, "b");
  const Message message("placed");
  wire::Envelope request = request_for(message, 0, 60'000'000);
  request.is_forwarded = true;
  request.answer_to = "a";
  request.answer_to_incarnation = 1;
  request.answer_attempt = 77;
  request.message_id = "no id";
  std::atomic<int> told{0};
  net.link("c", "a").requests.decide([&](const wire::Envelope& e) {
    if (e.type == EnvelopeType::answer && e.attempt == 77 && e.name == code::kMalformed) ++told;
    return Fate::drop;
  });
  ask(net["c"], forwarder, request);
  const std::vector<std::uint8_t> no_array{0x05};
  request.message_id = message.id();
  request.events = no_array;
  ask(net["c"], forwarder, request);
  EXPECT_EQ(told, 2);
  EXPECT_TRUE(forwarder->received().empty());
}

}  // namespace
}  // namespace busbar::testing
