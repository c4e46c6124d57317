// Clients, questions about a node, and requests that are none.
#include "remote.hpp"
#include "support/raw_requester.hpp"

namespace busbar::testing {
namespace {

class Clients : public ::testing::Test {
 protected:
  RawRequester::Received dispatched(const Message& message, std::uint64_t attempt = 1, std::string_view node = {}) {
    wire::Envelope request = request_for(message, attempt, 600'000'000);
    request.only_node = node;
    ask(net["a"], client, request);
    return client->wait_for(attempt);
  }
  LinkedHubs net{{"a", "b", "c"}};
  std::shared_ptr<RawRequester> client = std::make_shared<RawRequester>(wire::Role::client, "cli");
};

TEST_F(Clients, GetAWholeDispatch) {
  std::string origin;
  net.add("a", answering("here", "a"));
  net.add("b", Script().on("there", [&](Message& m, Context&) {
    origin = std::string(m.origin_node());
    m.assign("seen", m.raw_request_as<int>()).add_event(1);
    return Response::ok(7, 9);
  }));
  EXPECT_EQ(dispatched(Message("here"), 1).response.value_as<std::string>(), "a");
  Message message = Message::of("there", 5);
  message.with_dry_run(DryRun::verbose).assign("mine", 1);
  const auto back = dispatched(message, 2);
  EXPECT_EQ(back.response.value_as<int>(), 7);
  EXPECT_EQ(back.response.version(), 9);
  EXPECT_EQ(back.assigns.to_json().dump(), R"({"mine":1,"seen":5})");
  EXPECT_EQ(back.events.to_json().dump(), "[1]");
  EXPECT_EQ(back.node, "b") << "who answered";
  EXPECT_EQ(origin, "a");
  EXPECT_EQ(dispatched(Message("nowhere"), 3).response.kind(), Response::Kind::service_unavailable);
  EXPECT_TRUE(net.quiet());
}

TEST_F(Clients, C_D4_GoOnToTheNextProvider) {
  net.add("a", refusing("s", "busy"));
  net.add("b", refusing("s", "busy"));
  net.add("c", answering("s", "c"));
  EXPECT_EQ(dispatched(Message("s")).response.value_as<std::string>(), "c");
}

TEST_F(Clients, C_R1_CannotCallWhatIsPrivate) {
  std::atomic<int> asked{0};
  net.add("a", Script()
                   .on(
                       "s",
                       [&](Message&, Context&) {
                         ++asked;
                         return Response::ok();
                       },
                       BUSBAR_SERVICE_PRIVATE)
                   .authorize_with([&](const Message&) {
                     ++asked;
                     return authorized();
                   }));
  std::uint64_t attempt = 0;
  for (const char* node : {"", "a", "b"}) {
    EXPECT_EQ(dispatched(Message("s"), ++attempt, node).response.kind(), Response::Kind::service_unavailable) << node;
    Message dry("s");
    dry.with_dry_run(DryRun::yes);
    EXPECT_EQ(dispatched(dry, ++attempt, node).response.kind(), Response::Kind::service_unavailable) << node;
    const Message message("s");
    wire::Envelope request = request_for(message, ++attempt, 600'000'000);
    request.authorize_only = true;
    request.only_node = node;
    ask(net["a"], client, request);
    EXPECT_EQ(client->wait_for(attempt).response.kind(), Response::Kind::service_unavailable) << node;
  }
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(net["a"].call("s").response().succeeded()) << "callers of the node itself can";
}

// C-D12: what hides services from callers of the node is not there for a client.
TEST_F(Clients, GetTheServicesOfOthersThatAPrivateOneHides) {
  net.add("a", answering("s", "a", BUSBAR_SERVICE_PRIVATE));
  net.add("b", refusing("s", "busy"));
  net.add("c", answering("s", "c", BUSBAR_SERVICE_DRY_RUN_SAFE));
  for (std::uint64_t attempt = 1; attempt <= 10; ++attempt) {
    EXPECT_EQ(dispatched(Message("s"), attempt).response.value_as<std::string>(), "c") << "whoever is asked first";
  }
  const auto found = net["a"].dispatcher().discover_service(Message("s"), host::CallerIs::outside);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].node + found[1].node, "bc");
}

TEST_F(Clients, NameTheNodeThatMustServe) {
  for (const char* node : {"a", "b", "c"}) net.add(node, answering("s", node));
  std::uint64_t attempt = 0;
  for (const char* node : {"a", "b", "c"}) {
    EXPECT_EQ(dispatched(Message("s"), ++attempt, node).response.value_as<std::string>(), node);
  }
  EXPECT_TRUE(dispatched(Message("s"), ++attempt, "nobody").response.is_bad_rpc("nodedown"));
}

TEST_F(Clients, C_D10_AreWarnedOfADryRunThatMayNotBeOne) {
  net.add("a", Script()
                   .on("unsafe", [](Message&, Context&) { return Response::ok(); })
                   .on(
                       "safe", [](Message&, Context&) { return Response::ok(); }, BUSBAR_SERVICE_DRY_RUN_SAFE));
  net.add("b", answering("remote", "b"));
  std::uint64_t attempt = 0;
  for (const char* service : {"unsafe", "remote"}) {
    Message message(service);
    EXPECT_EQ(dispatched(message, ++attempt).warning, "");
    message.with_dry_run(DryRun::yes);
    EXPECT_THAT(dispatched(message, ++attempt).warning, ::testing::HasSubstr("dry-run safe"));
  }
  Message safe("safe");
  EXPECT_EQ(dispatched(safe.with_dry_run(DryRun::yes), ++attempt).warning, "");
}

// What others say of theirs does not matter.
TEST_F(Clients, C_D10_TheWordOfWhoHasServedADryRunCountsAlone) {
  net.add("a", Script()
                   .on(
                       "safe", [](Message&, Context&) { return Response::ok(); }, BUSBAR_SERVICE_DRY_RUN_SAFE)
                   .on(
                       "hidden", [](Message&, Context&) { return Response::ok(); },
                       BUSBAR_SERVICE_DRY_RUN_SAFE | BUSBAR_SERVICE_PRIVATE));
  net.add("b",
          Script().on("safe", [](Message&, Context&) { return Response::ok(); }).on("hidden", [](Message&, Context&) {
            return Response::ok();
          }));
  const auto dry = [](const char* service) {
    Message message(service);
    message.with_dry_run(DryRun::yes);
    return message;
  };
  std::uint64_t attempt = 0;
  const auto outside = [&](const char* service, const char* node) {
    return !dispatched(dry(service), ++attempt, node).warning.empty();
  };
  const auto here = [&](const char* service, const char* node) {
    std::promise<bool> warned;
    auto& dispatcher = net["a"].dispatcher();
    dispatcher.dispatch_async(
        dry(service), [&](Message&& outcome) { warned.set_value(!dispatcher.dry_run_warning(outcome).empty()); },
        {0, node});
    return warned.get_future().get();
  };
  for (const char* node : {"", "a"}) {
    EXPECT_FALSE(outside("safe", node)) << node;
    EXPECT_FALSE(here("safe", node)) << node;
    EXPECT_FALSE(here("hidden", node)) << node;
  }
  EXPECT_TRUE(outside("safe", "b")) << "b's is not safe, whatever a's is";
  EXPECT_TRUE(here("safe", "b"));
  EXPECT_TRUE(here("hidden", "b"));
  EXPECT_TRUE(outside("hidden", "")) << "a client gets the other one";
  EXPECT_FALSE(outside("nobody_has_this", "")) << "nobody was asked";
  EXPECT_FALSE(outside("safe", "nobody"));
  net.add("c", Script().on(
                   "safe_there", [](Message&, Context&) { return Response::ok(); }, BUSBAR_SERVICE_DRY_RUN_SAFE));
  net.add("b", Script().on("safe_there", [](Message&, Context&) { return Response::ok(); }), "q");
  EXPECT_FALSE(outside("safe_there", "c"));
  EXPECT_TRUE(outside("safe_there", "b"));
}

TEST_F(Clients, C_D11_AskForLeaveAlone) {
  net.add("b", Script()
                   .on("s",
                       [](Message&, Context&) {
                         ADD_FAILURE() << "the handler ran";
                         return Response::ok();
                       })
                   .authorize_with([](const Message& m) { return m.assigned<int>("k") ? authorized() : forbidden(); }));
  Message message("s");
  wire::Envelope request = request_for(message, 1, 600'000'000);
  request.authorize_only = true;
  ask(net["a"], client, request);
  EXPECT_TRUE(client->wait_for(1).response.is_error("forbidden"));
  message.assign("k", 1);
  request = request_for(message, 2, 600'000'000);
  request.authorize_only = true;
  ask(net["a"], client, request);
  EXPECT_TRUE(client->wait_for(2).response.succeeded());
}

TEST_F(Clients, C_D8_CancelOneCall) {
  for (const char* node : {"a", "b"}) {
    Gate started;
    std::atomic<bool> saw{false};
    net.add(node, Script().on("s_" + std::string(node), [&](Message&, Context& c) {
      started.open();
      saw = eventually([&] { return c.caller_gone(); });
      return Response::ok();
    }));
    const Message message("s_" + std::string(node));
    ask(net["a"], client, request_for(message, 9, 600'000'000));
    started.pass();
    wire::Envelope cancel;
    cancel.type = wire::EnvelopeType::cancel;
    cancel.major = wire::kCallProtocolMajor;
    cancel.attempt = 9;
    ask(net["a"], client, cancel);
    EXPECT_TRUE(net.quiet());
    EXPECT_TRUE(saw) << node;
    EXPECT_EQ(client->answers(9), 0u);
  }
}

TEST_F(Clients, C_D8_GoneTheyHaveCancelledAll) {
  Gate started;
  std::atomic<int> saw{0};
  net.add("b", Script().on("s", [&](Message&, Context& c) {
    std::thread arrived([&] { started.pass(); });
    if (eventually([&] { return c.caller_gone(); })) ++saw;
    arrived.join();
    return Response::ok();
  }));
  const Message message("s");
  for (std::uint64_t attempt = 1; attempt <= 5; ++attempt) {
    ask(net["a"], client, request_for(message, attempt, 600'000'000));
  }
  EXPECT_TRUE(started.reached(5));
  started.open();
  client->gone_ = true;
  net["a"].dispatcher().on_gone(*client);
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(saw, 5);
}

TEST_F(Clients, MayUseANumberOnceAtATime) {
  Gate gate;
  net.add("a", Script().on("s", [&](Message&, Context&) {
    gate.pass();
    return Response::ok();
  }));
  const Message message("s");
  ask(net["a"], client, request_for(message, 4, 600'000'000));
  EXPECT_TRUE(gate.reached());
  ask(net["a"], client, request_for(message, 4, 600'000'000));
  EXPECT_TRUE(client->wait_for(4).response.is_error(code::kMalformed));
  gate.open();
  EXPECT_TRUE(eventually([&] { return client->answers(4) == 2; }));
  EXPECT_TRUE(client->received().back().response.succeeded());
}

TEST_F(Clients, AreToldThatAnAnswerIsTooLarge) {
  net.add("b", answering("s", std::string(5000, 'x')));
  client->largest = 1000;
  EXPECT_TRUE(dispatched(Message("s")).response.is_bad_rpc("bad_return"));
  const auto nameless = std::make_shared<RawRequester>(wire::Role::client, "");
  nameless->largest = 1000;
  ask(net["a"], nameless, request_for(Message("s"), 1, 5'000'000));
  EXPECT_THAT(nameless->wait_for(1).response.text(), ::testing::HasSubstr("bytes are more than the client accepts"));
}

// ------------------------------------------------------------------------------------------- what is not as it should
// be

class Malformed : public RemoteTest {
 protected:
  LinkedHubs net{{"a", "b"}};
  std::shared_ptr<RawRequester> node = std::make_shared<RawRequester>(wire::Role::node, "z");
};
BUSBAR_BOTH_FORMS(Malformed);

TEST_P(Malformed, AnAnswerThatIsTooLargeIsSaidToBe) {
  net.add("b", answering("s", std::string(5000, 'x')));
  net.link("a", "b").answers.largest(1000);
  EXPECT_TRUE(call(net["a"], Message("s"), {600'000}).response().is_bad_rpc("bad_return"));
}

// It has run: no other provider is asked (C-D18).
TEST_P(Malformed, AnAnswerThatMayNotWaitToBeSentIsSaidToBe) {
  LinkedHubs three({"a", "b", "c"});
  std::atomic<int> runs{0};
  for (const char* provider : {"b", "c"}) {
    three.add(provider, Script().on("s", [&](Message&, Context&) {
      ++runs;
      return Response::ok(std::string(5000, 'x'));
    }));
    three.link("a", provider).answers.largest(1000, host::Sent::kFull);
  }
  const Message back = call(three["a"], Message("s"), {600'000});
  EXPECT_TRUE(back.response().is_bad_rpc("bad_return"));
  EXPECT_THAT(std::string(back.response().text()), ::testing::HasSubstr("limits.peer_queue"));
  EXPECT_EQ(runs, 1);
}

TEST_P(Malformed, AnswersOfAPeerAreChecked) {
  const std::vector<std::uint8_t> number{0x05}, broken{0xff, 0x13}, map{0xa0};
  const std::vector<std::function<void(wire::Envelope&)>> faults = {
      [&](wire::Envelope& e) { e.kind = 0; },
      [&](wire::Envelope& e) { e.kind = 200; },
      [&](wire::Envelope& e) { e.kind = BUSBAR_RESPONSE_ERROR, e.name = "No Code"; },
      [&](wire::Envelope& e) { e.kind = BUSBAR_RESPONSE_ERROR, e.name = "badrpc", e.detail = "unknown_kind"; },
      [&](wire::Envelope& e) { e.assigns = number, e.has_assigns = true; },
      [&](wire::Envelope& e) { e.assigns = broken, e.has_assigns = true; },
      [&](wire::Envelope& e) { e.events = number; },
      [&](wire::Envelope& e) { e.events = map; },
      [&](wire::Envelope& e) { e.events = broken; },
  };
  net.add("b", answering("s", "b"));
  for (std::size_t i = 0; i < faults.size(); ++i) {
    std::atomic<std::uint64_t> attempt{0};
    net.link("a", "b").requests.decide([&](const wire::Envelope& e) {
      attempt = e.attempt;
      return Fate::drop;
    });
    std::thread peer([&] {
      EXPECT_TRUE(eventually([&] { return attempt != 0; }));
      wire::Envelope answer;
      answer.type = wire::EnvelopeType::answer;
      answer.major = wire::kCallProtocolMajor;
      answer.attempt = attempt;
      answer.kind = BUSBAR_RESPONSE_OK;
      faults[i](answer);
      net.link("a", "b").answers.push(encode(answer));
    });
    const Message back = call(net["a"], Message("s").with_dry_run(DryRun::verbose), {600'000});
    peer.join();
    EXPECT_TRUE(back.response().is_bad_rpc("bad_return")) << i << " " << shown(back.response());
    net.link("a", "b").requests.decide({});
  }
}

TEST_P(Malformed, FieldsOfARequestAreRefusedAndLeaveNothingInside) {
  std::atomic<int> runs{0};
  net.add("b", Script().on("s", [&](Message&, Context&) {
    ++runs;
    return Response::ok();
  }));
  const std::vector<std::uint8_t> number{0x05}, broken{0xff, 0x13};
  const std::string long_text(300, 'x');
  const std::vector<std::function<void(wire::Envelope&)>> faults = {
      [&](wire::Envelope& e) { e.service = "No Service"; },
      [&](wire::Envelope& e) { e.service = long_text; },
      [&](wire::Envelope& e) { e.service = {}; },
      [&](wire::Envelope& e) { e.message_id = {}; },
      [&](wire::Envelope& e) { e.message_id = "not an id"; },
      [&](wire::Envelope& e) { e.correlation_id = long_text; },
      [&](wire::Envelope& e) { e.causation_id = "\n"; },
      [&](wire::Envelope& e) { e.events = number; },
      [&](wire::Envelope& e) { e.events = broken; },
  };
  const Message message("s");
  for (const auto role : {wire::Role::node, wire::Role::client}) {
    const auto from = std::make_shared<RawRequester>(role, "z");
    for (std::size_t i = 0; i < faults.size(); ++i) {
      wire::Envelope request = request_for(message, 100 + i, 600'000'000);
      faults[i](request);
      ask(net["b"], from, request);
      const auto back = from->wait_for(100 + i);
      EXPECT_TRUE(back.response.is_error(code::kMalformed)) << i << " " << shown(back.response);
      EXPECT_FALSE(back.unstarted) << i;  // another node would find it no better
    }
  }
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(net.quiet());
  // What is in payloads is the handler's to find out.
  wire::Envelope request = request_for(message, 200, 600'000'000);
  request.raw_request = request.assigns = request.logger_metadata = broken;
  ask(net["b"], node, request);
  EXPECT_EQ(node->answers(200) == 0 ? node->wait_for(200).attempt : 200, 200u);
}

TEST_P(Malformed, TypesThatAreNotKnownArePassedOver) {
  wire::Envelope envelope;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = 1;
  for (int type = 0; type < 40; ++type) {
    if (type == static_cast<int>(wire::EnvelopeType::request)) continue;
    envelope.type = static_cast<wire::EnvelopeType>(type);
    net["b"].dispatcher().on_request(node, envelope);
    net["b"].dispatcher().on_envelope(*net.link("b", "a").peer(), envelope, host::now_ns());
  }
  EXPECT_TRUE(node->received().empty());
}

// ------------------------------------------------------------------------------------------------------------
// questions

TEST(Queries, AreAnsweredByTheNodeThatIsAsked) {
  LinkedHubs net{{"a", "b"}};
  net["b"].dispatcher().on_query([](const auto& requester, std::uint64_t attempt, wire::Bytes body) {
    std::vector<std::uint8_t> answer(body.rbegin(), body.rend());
    requester->answer(host::write_document(attempt, answer), false);
  });
  const auto asked = [&](std::string_view node, std::uint32_t timeout_ms) {
    std::promise<Message> outcome;
    const std::uint8_t body[] = {1, 2, 3};
    net["a"].dispatcher().query_async(
        node, Payload::copy(body), [&](Message&& m) { outcome.set_value(std::move(m)); }, timeout_ms);
    return outcome.get_future().get();
  };
  const Message back = asked("b", 600'000);
  ASSERT_TRUE(back.response().succeeded()) << shown(back.response());
  EXPECT_THAT(std::vector(back.response().value().bytes().begin(), back.response().value().bytes().end()),
              ::testing::ElementsAre(3, 2, 1));
  EXPECT_TRUE(asked("nobody", 600'000).response().is_bad_rpc("nodedown"));
  net.link("a", "b").answers.hold();
  EXPECT_EQ(asked("b", 20).response().kind(), Response::Kind::service_timeout);
  net.link("a", "b").cut();
  EXPECT_TRUE(asked("b", 600'000).response().is_bad_rpc("nodedown"));
}

}  // namespace
}  // namespace busbar::testing
