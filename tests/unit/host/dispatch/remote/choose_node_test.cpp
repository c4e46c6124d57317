// A call runs where its router says (C-R6).
#include "remote.hpp"
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

TEST_P(ChooseNode, C_R6_TheCallersNodeMayBeTheChosenOne) {
  net.add("a", placed("a"));
  net.add("b", placed("b"));
  chosen = "a";
  EXPECT_EQ(ask_b().response().value_as<std::string>(), "a");
  EXPECT_TRUE(net.quiet());
}

TEST_P(ChooseNode, C_R6_AnInlineServiceChoosesNoOtherNode) {
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
  ask(net["a"], client, request);
  EXPECT_EQ(client->wait_for(7).response.value_as<std::string>(), "c");
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

}  // namespace
}  // namespace busbar::testing
