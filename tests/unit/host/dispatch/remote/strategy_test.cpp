// Which of several nodes a call goes to, as the service or its caller wants it (C-D3).
#include <algorithm>
#include <map>
#include <set>

#include "remote.hpp"
#include "support/raw_requester.hpp"

namespace busbar::testing {
namespace {

using host::CallerIs;
using host::DispatchOptions;
using ::testing::ElementsAreArray;

DispatchOptions prefers(Strategy strategy, std::string_view key = {}) {
  return {600'000, {}, CallerIs::here, {strategy, key}};
}
Message about(const nlohmann::json& town) { return Message("s", Payload::from_json({{"town", town}})); }

/// The nodes in the order in which they are asked about a key.
std::vector<std::string> order_of(std::string_view key, std::vector<std::string> nodes) {
  std::sort(nodes.begin(), nodes.end(), [&](const auto& a, const auto& b) {
    return host::affinity(host::hash_of(key), a) > host::affinity(host::hash_of(key), b);
  });
  return nodes;
}

class Sticky : public RemoteTest {
 protected:
  void offer(const std::function<Script(const std::string&)>& script) {
    for (const char* node : {"b", "c", "d"}) net.add(node, script(node));
  }
  void offer_by_town() {
    offer([](const std::string& node) { return answering("s", node).sticky("town"); });
  }
  std::string served_by(Message message, const DispatchOptions& options = {}) {
    return call(net["a"], std::move(message), options).response().value_as<std::string>();
  }
  static std::string town(int i) { return "town " + std::to_string(i); }

  LinkedHubs net{{"a", "b", "c", "d"}};
};
BUSBAR_BOTH_FORMS(Sticky);

TEST_P(Sticky, C_D3_TheServicesFieldSaysWhere) {
  offer_by_town();
  std::set<std::string> used;
  for (int i = 0; i < 60; ++i) {
    const std::string home = served_by(about(town(i)));
    EXPECT_EQ(home, order_of(town(i), {"b", "c", "d"}).front());
    for (int again = 0; again < 3; ++again) EXPECT_EQ(served_by(about(town(i))), home);
    used.insert(home);
  }
  EXPECT_EQ(used.size(), 3u);
}

TEST_P(Sticky, C_D3_AllNodesAgreeOnIt) {
  offer_by_town();
  LinkedHubs others({"x", "b", "c", "d"});
  for (const char* node : {"b", "c", "d"}) others.add(node, answering("s", node).sticky("town"));
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(call(others["x"], about(town(i))).response().value_as<std::string>(), served_by(about(town(i))));
  }
}

TEST_P(Sticky, C_D3_WhereANodeIsLostOnlyItsKeysMove) {
  offer_by_town();
  std::map<std::string, std::string> homes;
  for (int i = 0; i < 60; ++i) homes[town(i)] = served_by(about(town(i)));
  net.link("a", "c").cut();
  for (const auto& [town, home] : homes) {
    const auto order = order_of(town, {"b", "c", "d"});
    EXPECT_EQ(served_by(about(town)), home == "c" ? order[1] : home) << town;
  }
  net.link("a", "c").restore();
  for (const auto& [town, home] : homes) EXPECT_EQ(served_by(about(town)), home) << "and back, when it is";
}

TEST_P(Sticky, C_D3_C_D4_WhoRefusesIsFollowedByTheNextInTheKeysOrder) {
  net.add("a", refusing("s", "busy").sticky("town"));
  offer([](const std::string& node) { return refusing("s", "no_" + node).sticky("town"); });
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> expected = {"local:busy"};
    for (const auto& node : order_of(town(i), {"b", "c", "d"})) expected.push_back(node + ":no_" + node);
    EXPECT_THAT(tried(call(net["a"], about(town(i))).response()), ElementsAreArray(expected));
    EXPECT_THAT(tried(call(net["a"], Message("s"), prefers(Strategy::sticky, town(i))).response()),
                ElementsAreArray(expected))
        << "and so for the caller's key";
  }
  EXPECT_TRUE(net.quiet());
}

TEST_P(Sticky, C_D3_TheCallersKeyGoesBeforeTheServicesField) {
  offer_by_town();
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(served_by(about("Graz"), prefers(Strategy::sticky, town(i))), order_of(town(i), {"b", "c", "d"}).front());
  }
}

TEST_P(Sticky, C_D3_TheCallersStrategyGoesBeforeTheServices) {
  offer_by_town();
  std::set<std::string> used;
  for (int i = 0; i < 100; ++i) used.insert(served_by(about("Graz"), prefers(Strategy::random)));
  EXPECT_EQ(used.size(), 3u) << "though the town is the same";
}

TEST_P(Sticky, C_D3_ACallersKeyNeedsNoWordOfTheService) {
  offer([](const std::string& node) { return answering("s", node).strategy(Strategy::least_pending); });
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(served_by(Message("s"), prefers(Strategy::sticky, town(i))), order_of(town(i), {"b", "c", "d"}).front());
  }
}

TEST_P(Sticky, C_D3_WithoutTheFieldItIsRandom) {
  offer_by_town();
  for (const Message& message : {Message("s"), about(nullptr), Message::of("s", 5)}) {
    std::set<std::string> used;
    for (int i = 0; i < 100; ++i) used.insert(served_by(Message(message)));
    EXPECT_EQ(used.size(), 3u);
  }
}

TEST_P(Sticky, C_D2_ALocalProviderWinsWhateverTheStrategy) {
  offer_by_town();
  net.add("a", answering("s", "a").sticky("town"));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(served_by(about(town(i))), "a");
    for (const auto strategy : {Strategy::random, Strategy::least_pending, Strategy::sticky}) {
      EXPECT_EQ(served_by(about(town(i)), prefers(strategy, "key")), "a");
    }
  }
}

TEST_P(Sticky, C_D3_C_D18_WhatCouldNotBeSentGoesToTheNextInTheOrder) {
  offer_by_town();
  net.link("a", "c").requests.refuse_with(host::Sent::kDown);
  for (int i = 0; i < 30; ++i) {
    const auto order = order_of(town(i), {"b", "c", "d"});
    EXPECT_EQ(served_by(about(town(i))), order[0] == "c" ? order[1] : order[0]);
  }
}

// The record of a node of a later version, say.
TEST_P(Sticky, C_D3_ARecordThatNamesNoFieldIsRandom) {
  offer([](const std::string& node) { return answering("s", node); });
  for (const char* node : {"b", "c", "d"}) {
    auto record = net[node].registry().local_record();
    for (auto& service : record) service.strategy = Strategy::sticky;
    net["a"].registry().put_node(net.link("a", node).peer(), record);
  }
  std::set<std::string> used;
  for (int i = 0; i < 100; ++i) used.insert(served_by(about("Graz")));
  EXPECT_EQ(used.size(), 3u);
}

// C-M3: through the boundary, from inside of a handler.
TEST_P(Sticky, C_D3_ANestedCallNamesItToo) {
  offer([](const std::string& node) { return answering("s", node); });
  const auto nested = [](Message& message, Context& context) {
    const auto key = message.raw_request_as<std::string>();
    return context.call("s", nlohmann::json::object(), {.sticky_key = key}).response();
  };
  net.add("a", Script().on("outer", nested));
  const auto later = [](Message& message, Context& context) {
    auto key = message.raw_request_as<std::string>();
    const auto handle = std::make_shared<ReplyHandle>(context.reply_handle());
    context.dispatch_async(context.caused("s", nlohmann::json::object()),
                           [handle](const Message& back) { handle->reply(back.response()); }, {.sticky_key = key});
    key.assign(key.size(), 'x');  // it was borrowed until the dispatch returned, and no longer
  };
  net.add("a", Script().defer("outer_later", later), "q");
  for (int i = 0; i < 20; ++i) {
    const std::string home = order_of(town(i), {"b", "c", "d"}).front();
    EXPECT_EQ(served_by(Message::of("outer", town(i))), home);
    EXPECT_EQ(served_by(Message::of("outer_later", town(i))), home);
  }
  EXPECT_TRUE(net.quiet());
}

class LeastPending : public RemoteTest {
 protected:
  void TearDown() override { gate.open(); }
  /// `s` answers with the node's name; `hangs` until the gate opens.
  Script script(const std::string& node, Strategy strategy = Strategy::least_pending) {
    return Script()
        .on("s", [node](Message&, Context&) { return Response::ok(node); })
        .strategy(strategy)
        .on("hangs", [this](Message&, Context&) {
          gate.pass();
          return Response::ok();
        });
  }
  std::uint32_t pending(const char* node) { return net.link("a", node).peer()->pending(); }
  bool nothing_is_pending() {
    return eventually([&] { return pending("b") + pending("c") + pending("d") == 0; });
  }
  void hang_at(const char* node, int calls) {
    for (int i = 0; i < calls; ++i) {
      net["a"].dispatcher().dispatch_async(Message("hangs"), [](Message&&) {}, {600'000, node});
    }
  }
  std::map<std::string, int> spread(int calls, const DispatchOptions& options = {}) {
    std::map<std::string, int> out;
    for (int i = 0; i < calls; ++i) ++out[call(net["a"], Message("s"), options).response().value_as<std::string>()];
    return out;
  }

  Gate gate;
  LinkedHubs net{{"a", "b", "c", "d"}, {8, 16, 100, 10 * host::kMillisecond, 5 * host::kSecond, {}}};
};
BUSBAR_BOTH_FORMS(LeastPending);

TEST_P(LeastPending, C_D3_ANodeWhoseCallsHangIsPassed) {
  for (const char* node : {"b", "c", "d"}) net.add(node, script(node));
  hang_at("b", 2);
  hang_at("c", 1);
  EXPECT_EQ(pending("b"), 2u);
  const std::map<std::string, int> all_at_d = {{"d", 50}};
  EXPECT_EQ(spread(50), all_at_d);
  hang_at("d", 3);
  const std::map<std::string, int> all_at_c = {{"c", 50}};
  EXPECT_EQ(spread(50), all_at_c);
  gate.open();
  EXPECT_TRUE(nothing_is_pending());
  EXPECT_EQ(spread(200).size(), 3u) << "equals share the calls";
  EXPECT_TRUE(net.quiet());
}

TEST_P(LeastPending, C_D3_TheCallerCanNameIt) {
  for (const char* node : {"b", "c", "d"}) net.add(node, script(node, Strategy::standard));
  hang_at("b", 1);
  hang_at("d", 1);
  const std::map<std::string, int> all_at_c = {{"c", 50}};
  EXPECT_EQ(spread(50, prefers(Strategy::least_pending)), all_at_c);
  EXPECT_EQ(spread(200).size(), 3u) << "of itself the service is random";
}

TEST_P(LeastPending, C_D3_C_D4_WhoRefusesIsFollowedByTheNextFewest) {
  for (const char* node : {"b", "c", "d"}) {
    net.add(node, script(node));
    net.add(node, refusing("r", node).strategy(Strategy::least_pending), "q");
  }
  hang_at("b", 2);
  hang_at("c", 1);
  EXPECT_THAT(tried(call(net["a"], Message("r"), {600'000}).response()), ::testing::ElementsAre("d:d", "c:c", "b:b"));
  gate.open();
  EXPECT_TRUE(nothing_is_pending());
}

TEST_P(LeastPending, C_D3_C_R6_AForwardedCallCountsWhereItRuns) {
  net.add("b", script("b").choose_with([](const Message& m) { return m.service_name() == "hangs" ? "c" : ""; }));
  net.add("c", script("c"));
  hang_at("b", 2);
  EXPECT_TRUE(gate.reached(2));
  EXPECT_TRUE(eventually([&] { return pending("c") == 2; }));
  EXPECT_EQ(pending("b"), 0u);
  const std::map<std::string, int> all_at_b = {{"b", 20}};
  EXPECT_EQ(spread(20), all_at_b);
  gate.open();
  EXPECT_TRUE(nothing_is_pending());
  EXPECT_TRUE(net.quiet());
}

TEST_P(LeastPending, C_D3_WhatHasEndedInAnyWayDoesNotCount) {
  for (const char* node : {"b", "c", "d"}) net.add(node, script(node));
  EXPECT_EQ(call(net["a"], Message("hangs"), {20, "b"}).response().kind(), Response::Kind::service_timeout);
  EXPECT_TRUE(eventually([&] { return pending("b") == 0; })) << "nobody waits for it any more";
  net.link("a", "c").requests.refuse_with(host::Sent::kDown);
  EXPECT_FALSE(call(net["a"], Message("s"), {0, "c"}).response().succeeded());
  EXPECT_EQ(pending("c"), 0u) << "was not sent";
  auto cancelled = net["a"].dispatcher().dispatch_cancellable(Message("hangs"), [](Message&&) {}, {600'000, "d"});
  EXPECT_EQ(pending("d"), 1u);
  cancelled.cancel();
  EXPECT_EQ(pending("d"), 0u);
  std::atomic<bool> answered{false};
  const auto held =
      net["a"].dispatcher().dispatch_cancellable(Message("s"), [&](Message&&) { answered = true; }, {600'000, "d"});
  EXPECT_TRUE(eventually([&] { return answered.load(); }));
  EXPECT_EQ(pending("d"), 0u) << "though somebody holds the call";
  hang_at("d", 1);
  net.link("a", "d").cut();
  EXPECT_EQ(pending("d"), 0u);
  gate.open();
  EXPECT_TRUE(net.quiet());
}

TEST_P(LeastPending, C_D3_ANestedCallNamesItToo) {
  for (const char* node : {"b", "c", "d"}) net.add(node, script(node, Strategy::standard));
  const auto nested = [](Message&, Context& context) {
    return context.call("s", 1, {.timeout = std::chrono::minutes(1), .strategy = Strategy::least_pending}).response();
  };
  net.add("a", Script().on("outer", nested));
  hang_at("b", 1);
  hang_at("c", 1);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(call(net["a"], "outer").response().value_as<std::string>(), "d");
}

// C-D16: by many threads at once no count is lost, and none is left over.
TEST_P(LeastPending, C_D3_ManyThreadsKeepTheCount) {
  for (const char* node : {"b", "c"}) net.add(node, script(node));
  net.add("d", refusing("s", "busy").strategy(Strategy::least_pending));
  hang_at("b", 1);
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const Response answer = call(net["a"], Message("s"), {600'000}).response();
        if (!answer.succeeded()) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(pending("b"), 1u);
  EXPECT_EQ(pending("c"), 0u);
  EXPECT_EQ(pending("d"), 0u);
  gate.open();
  EXPECT_TRUE(nothing_is_pending());
}

// C: what lies behind the end of an older plugin's structs is not read.
TEST(OlderPlugins, C_D3_HaveServicesWithoutAStrategy) {
  CRouter router("s", [](busbar_call*, const busbar_message*) -> std::uint32_t { return BUSBAR_REPLIED; });
  auto& service = const_cast<busbar_service&>(*router.c_router().services[0]);
  service.strategy = BUSBAR_STRATEGY_STICKY;
  service.sticky_field = {"town", 4};
  Hub newer, older;
  newer.add("p", router);
  EXPECT_EQ(newer.registry().local_record().at(0).strategy, Strategy::sticky);
  EXPECT_EQ(newer.registry().local_record().at(0).sticky_field, "town");
  service.struct_size = offsetof(busbar_service, request_schema);  // minor 1
  older.add("p", router);
  EXPECT_EQ(older.registry().local_record().at(0).strategy, Strategy::standard);
  EXPECT_EQ(older.registry().local_record().at(0).sticky_field, "");
}

TEST(OlderPlugins, C_D3_CallWithoutAStrategy) {
  LinkedHubs net({"a", "b", "c", "d"});
  for (const char* node : {"b", "c", "d"}) net.add(node, answering("s", node));
  const busbar_host& host = net.add("a", answering("other", "a")).c_host();
  const auto served_by = [&](std::uint32_t struct_size, const std::string& key) {
    busbar_dispatch_options options{};
    options.struct_size = struct_size;
    options.strategy = BUSBAR_STRATEGY_STICKY;
    options.sticky_key = {key.data(), key.size()};
    busbar_response none{};
    const Message message("s");
    const busbar_message view = message.c_view(none);
    busbar_result* result = host.dispatch(host.context, nullptr, &view, &options);
    const std::string node = Message(Message::borrow(*host.result_message(result))).response().value_as<std::string>();
    host.result_release(result);
    return node;
  };
  std::set<std::string> newer, older;
  for (int i = 0; i < 100; ++i) {
    newer.insert(served_by(sizeof(busbar_dispatch_options), "key"));
    older.insert(served_by(offsetof(busbar_dispatch_options, strategy), "key"));
  }
  EXPECT_EQ(newer.size(), 1u);
  EXPECT_EQ(older.size(), 3u);
}

class ClientsStrategy : public ::testing::Test {
 protected:
  ClientsStrategy() {
    for (const char* node : {"b", "c", "d"}) net.add(node, answering("s", node).sticky("town"));
  }
  RawRequester::Received dispatched(const Message& message, std::uint8_t strategy, std::string_view key = {}) {
    wire::Envelope request = request_for(message, ++attempt, 600'000'000);
    request.strategy = strategy;
    request.sticky_key = key;
    ask(net["a"], client, request);
    return client->wait_for(attempt);
  }
  LinkedHubs net{{"a", "b", "c", "d"}};
  std::shared_ptr<RawRequester> client = std::make_shared<RawRequester>(wire::Role::client, "cli");
  std::uint64_t attempt = 0;
};

TEST_F(ClientsStrategy, C_D3_IsNamedInTheRequest) {
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key " + std::to_string(i);
    const std::string home = order_of(key, {"b", "c", "d"}).front();
    EXPECT_EQ(dispatched(Message("s"), BUSBAR_STRATEGY_STICKY, key).node, home);
    EXPECT_EQ(dispatched(about(key), BUSBAR_STRATEGY_DEFAULT).node, home) << "as the service says";
    EXPECT_EQ(dispatched(about(key), BUSBAR_STRATEGY_STICKY).node, home) << "with the service's key";
  }
  std::set<std::string> used;
  for (int i = 0; i < 100; ++i) used.insert(dispatched(about("Graz"), BUSBAR_STRATEGY_RANDOM).node);
  EXPECT_EQ(used.size(), 3u);
  EXPECT_TRUE(dispatched(Message("s"), BUSBAR_STRATEGY_LEAST_PENDING).response.succeeded());
}

TEST_F(ClientsStrategy, C_D3_AStrategyThatIsNoneIsRefusedInWords) {
  const auto unknown = dispatched(Message("s"), 4);
  EXPECT_TRUE(unknown.response.is_error(code::kMalformed));
  EXPECT_THAT(std::string(unknown.response.text()), ::testing::HasSubstr("the strategy is 4, expected 0"));
  const auto alone = dispatched(Message("s"), BUSBAR_STRATEGY_RANDOM, "key");
  EXPECT_TRUE(alone.response.is_error(code::kMalformed));
  EXPECT_THAT(std::string(alone.response.text()), ::testing::HasSubstr("sticky_key"));
}

}  // namespace
}  // namespace busbar::testing
