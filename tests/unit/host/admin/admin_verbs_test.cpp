// The verbs, over the socket.
#include "unit/host/admin/admin_testing.hpp"

namespace busbar::host {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace verb = wire::admin_verb;

using AdminVerbsTest = AdminServerTest;

// ---------------------------------------------------------------------------------------------------------- call

TEST_F(AdminVerbsTest, CallsAServiceAndReturnsItsAnswer) {
  serve();
  const auto answer = connect().ask(call_of("echo", {{"name", "Ada"}}, 42));
  ASSERT_TRUE(answer.reply);
  EXPECT_EQ(answer.seq, 42u);
  EXPECT_EQ(answer.protocol, wire::kAdminProtocol);
  EXPECT_EQ(answer.reply->response.kind, "ok");
  EXPECT_EQ(json_of(answer.reply->response.value), json({{"name", "Ada"}}));
  EXPECT_EQ(answer.reply->node, "node-1");
  EXPECT_FALSE(answer.reply->warning);
}

TEST_F(AdminVerbsTest, CallsAnInlineServiceToo) {
  serve();
  EXPECT_EQ(json_of(connect().ask(call_of("echo_inline", 5)).reply->response.value), 5);
}

TEST_F(AdminVerbsTest, ANullIsARequestOfItsOwnAndNotAnEmptyOne) {
  serve();
  const auto answer = connect().ask(call_of("echo", nullptr));
  ASSERT_TRUE(answer.reply && answer.reply->response.value);
  EXPECT_EQ(*answer.reply->response.value, wire::Item{0xF6});
}

TEST_F(AdminVerbsTest, CarriesPayloadsOfTheFullDepth) {
  serve();
  json deep = 1;
  for (int i = 0; i < 64; ++i) deep = json::array({deep});
  EXPECT_EQ(json_of(connect().ask(call_of("echo", deep)).reply->response.value), deep);
}

// C-M9, and C-R5 for the events
TEST_F(AdminVerbsTest, ReturnsIdsAssignsAndWithVerboseTheEvents) {
  serve();
  TestClient client = connect();
  wire::AdminRequest request = call_of("decorate");
  request.id = "my-id";
  request.correlation_id = "my-correlation";
  request.assigns = item_of_json({{"user", "ada"}});
  const auto plain = client.ask(request);
  ASSERT_TRUE(plain.reply);
  EXPECT_EQ(plain.reply->message_id, "my-id");
  EXPECT_EQ(plain.reply->correlation_id, "my-correlation");
  EXPECT_EQ(json_of(plain.reply->assigns), json({{"user", "ada"}, {"seen", true}}));
  EXPECT_EQ(plain.reply->response.version, 7);
  EXPECT_FALSE(plain.reply->events);
  request.dry_run = "verbose";
  EXPECT_EQ(json_of(client.ask(request).reply->events), json({"first", "second"}));
}

TEST_F(AdminVerbsTest, AMessageHasANewIdUnlessItIsGivenOneAndComesFromThisNode) {
  serve();
  const auto answer = connect().ask(call_of("about"));
  const json about = json_of(answer.reply->response.value);
  EXPECT_EQ(about["id"].get<std::string>().size(), 22u);
  EXPECT_EQ(about["id"], answer.reply->message_id);
  EXPECT_EQ(about["correlation_id"], about["id"]);
  EXPECT_EQ(about["origin_node"], "node-1");
  EXPECT_EQ(about["dry_run"], 0);
}

TEST_F(AdminVerbsTest, TellsThatNobodyOffersAService) {
  serve();
  const auto answer = connect().ask(call_of("absent"));
  EXPECT_EQ(answer.reply->response.kind, "service_unavailable");
  EXPECT_EQ(answer.reply->response.name, "absent");
}

TEST_F(AdminVerbsTest, TheHostKeepsTheTimeout) {
  serve();
  wire::AdminRequest request = call_of("hold");
  request.timeout_ms = 20;
  const auto answer = connect().ask(request);
  EXPECT_EQ(answer.reply->response.kind, "service_timeout");
  EXPECT_EQ(answer.reply->response.timeout_ms, 20u);
  EXPECT_EQ(answer.reply->response.text, answer.reply->message_id);
}

// C-D7
TEST_F(AdminVerbsTest, AnAnswerThatIsNoPayloadIsABadReturn) {
  serve();
  const auto answer = connect().ask(call_of("garbage"));
  ASSERT_TRUE(answer.reply);
  EXPECT_EQ(answer.reply->response.name, "badrpc");
  EXPECT_EQ(answer.reply->response.detail, "bad_return");
}

// ------------------------------------------------------------------------------------------------------ validate

// C-D10
TEST_F(AdminVerbsTest, ValidateSetsDryRunAndKeepsVerbose) {
  serve();
  TestClient client = connect();
  wire::AdminRequest request = call_of("about");
  request.verb = verb::kValidate;
  EXPECT_EQ(json_of(client.ask(request).reply->response.value)["dry_run"], 1);
  request.dry_run = "verbose";
  EXPECT_EQ(json_of(client.ask(request).reply->response.value)["dry_run"], 2);
}

// C-D10
TEST_F(AdminVerbsTest, ValidateWarnsOfAServiceThatIsNotDryRunSafe) {
  serve();
  TestClient client = connect();
  for (const auto& [service, warned] : {std::pair("about", true), {"echo", false}, {"absent", false}}) {
    wire::AdminRequest request = call_of(service);
    request.verb = verb::kValidate;
    EXPECT_EQ(client.ask(request).reply->warning.has_value(), warned) << service;
  }
}

// ---------------------------------------------------------------------------------------------------- authorized

// C-D11
TEST_F(AdminVerbsTest, AuthorizedAnswersYesNoOrThatNobodyOffersIt) {
  serve();
  TestClient client = connect();
  const auto ask = [&](const char* service) {
    wire::AdminRequest request = call_of(service);
    request.verb = verb::kAuthorized;
    return client.ask(request);
  };
  const auto yes = ask("hold");  // whose handler would never answer
  EXPECT_EQ(yes.authorized, true);
  EXPECT_FALSE(yes.reply);
  EXPECT_EQ(HeldCalls::instance().count(), 0u);
  const auto no = ask("secret");
  EXPECT_EQ(no.authorized, false);
  EXPECT_EQ(no.reply->response.name, "forbidden");
  const auto refused = ask("picky");
  EXPECT_EQ(refused.authorized, false);
  EXPECT_EQ(refused.reply->response.text, "come back tomorrow");
  const auto absent = ask("absent");
  EXPECT_FALSE(absent.authorized);
  EXPECT_EQ(absent.reply->response.kind, "service_unavailable");
}

// ------------------------------------------------------------------------------------------------------- listings

// C-D12
TEST_F(AdminVerbsTest, DiscoverShowsTheLocalProviderOrNobody) {
  serve();
  TestClient client = connect();
  const auto ask = [&](const char* service) {
    wire::AdminRequest request = request_of(verb::kDiscover);
    request.service = service;
    return json_of(client.ask(request).document);
  };
  EXPECT_EQ(ask("echo"), json({{"providers", {{{"node", "local"}, {"router", "tester"}}}}}));
  EXPECT_EQ(ask("hidden"), json({{"providers", {{{"node", "local"}, {"router", "tester"}}}}}));
  EXPECT_EQ(ask("absent"), json({{"providers", json::array()}}));
}

TEST_F(AdminVerbsTest, DocumentsAreTheHostsWithWhatIsNoUtf8Replaced) {
  serve();
  TestClient client = connect();
  EXPECT_EQ(json_of(client.ask(request_of(verb::kServices)).document), hooks().services(CallerIs::here));
  EXPECT_EQ(json_of(client.ask(request_of(verb::kNodes)).document), hooks().nodes());
  EXPECT_EQ(json_of(client.ask(request_of(verb::kStatus)).document)["node"], "node-1");
  const json plugins = json_of(client.ask(request_of(verb::kPlugins)).document);
  EXPECT_EQ(plugins["plugins"][0]["file"], "/tmp/\xEF\xBF\xBD.so");
}

TEST_F(AdminVerbsTest, AHookThatThrowsIsToldAndHarmsNobody) {
  serve();
  TestClient client = connect();
  plugins_fail = true;
  const auto answer = client.ask(request_of(verb::kPlugins, 9));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.seq, 9u);
  EXPECT_EQ(answer.error->code, "internal");
  EXPECT_THAT(answer.error->text, HasSubstr("the list is on fire"));
  EXPECT_TRUE(client.ask(request_of(verb::kStatus)).document);
}

TEST_F(AdminVerbsTest, RescanAnswersWhenTheScanIsOver) {
  serve();
  TestClient client = connect();
  client.send(request_of(verb::kRescan));
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);  // meanwhile others are served
  EXPECT_FALSE(client.readable(0ms));
  ASSERT_TRUE(end_scan({{"plugins", {"new"}}}));
  EXPECT_EQ(json_of(client.receive()->document), json({{"plugins", {"new"}}}));
}

TEST_F(AdminVerbsTest, AnOrderIsAnsweredWithWhatHasBecomeOfItsPluginOrWhyNot) {
  serve();
  TestClient client = connect();
  for (const std::string_view name : {verb::kUnload, verb::kReload, verb::kRollback}) {
    auto request = request_of(name, 3);
    request.plugin = "greeter";
    EXPECT_EQ(json_of(client.ask(request).document)["plugins"][0]["done"], name);
    request.plugin = "nobody";
    const auto refused = client.ask(request);
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->code, "not_done");
    EXPECT_EQ(refused.error->text, "could not " + std::string(name) + " \"nobody\": there is no such plugin");
  }
  EXPECT_EQ(json_of(client.ask(request_of(verb::kCalls)).document)["calls"][0]["service"], "echo");
  EXPECT_EQ(json_of(client.ask(request_of(verb::kStats)).document)["unserved"], 7);
}

// --------------------------------------------------------------------------------------------- what is malformed

class MalformedRequestTest : public AdminServerTest {
 protected:
  void expect_malformed(const wire::AdminRequest& request, const std::string& part) {
    if (!server_) serve();
    const auto answer = connect().ask(request);
    ASSERT_TRUE(answer.error) << part;
    EXPECT_EQ(answer.error->code, "malformed");
    EXPECT_EQ(answer.seq, request.seq);
    EXPECT_THAT(answer.error->text, HasSubstr(part));
  }
};

TEST_F(MalformedRequestTest, AnOrderForNobodyAndAFileWithoutItsWholePath) {
  expect_malformed(request_of(verb::kUnload, 3), "\"plugin\"");
  auto load = request_of(verb::kLoad, 4);
  load.plugin = "greeter.so";
  expect_malformed(load, "absolute path");
}

TEST_F(MalformedRequestTest, ALevelOfTheLogThatIsNone) {
  auto request = request_of(verb::kLogLevel, 3);
  request.level = "wran";
  expect_malformed(request, "nearest: \"warn\"");
  request.level.reset();
  request.part = "host";
  expect_malformed(request, "field \"level\": expected with a \"part\"");
}

TEST_F(MalformedRequestTest, AVerbThatNobodyKnows) { expect_malformed(request_of("dance", 3), "\"dance\""); }

TEST_F(MalformedRequestTest, ACallWithoutOrWithAWrongServiceName) {
  wire::AdminRequest request = call_of("echo");
  request.service.reset();
  expect_malformed(request, "\"service\"");
  expect_malformed(call_of("No Service"), "[a-z][a-z0-9_]{0,254}");
}

TEST_F(MalformedRequestTest, FieldsThatBreakTheirRules) {
  wire::AdminRequest request = call_of("echo");
  request.timeout_ms = 0;
  expect_malformed(request, "timeout_ms");
  request = call_of("echo");
  request.timeout_ms = 86'400'001;
  expect_malformed(request, "86400000");
  request = call_of("echo");
  request.dry_run = "perhaps";
  expect_malformed(request, "\"perhaps\"");
  request = call_of("service");
  for (const char* strategy : {"nearest", ""}) {
    request.strategy = strategy;
    expect_malformed(request, "\"random\", \"least_pending\" or \"sticky\"");
  }
  request.strategy = "sticky";
  expect_malformed(request, "\"sticky_key\"");
  request.strategy = "random";
  request.sticky_key = "key";
  expect_malformed(request, "\"sticky_key\"");
  request.strategy.reset();
  expect_malformed(request, "\"sticky_key\"");
  request.sticky_key.reset();
  request = call_of("echo");
  request.id = "a/b";
  expect_malformed(request, "\"id\"");
  request = call_of("echo");
  request.correlation_id = "";
  expect_malformed(request, "correlation_id");
}

TEST_F(MalformedRequestTest, PayloadsThatAreNone) {
  wire::AdminRequest request = call_of("echo");
  request.request = wire::Item{0x82, 0x01};  // an array of two, with one
  expect_malformed(request, "\"request\"");
  request.request = wire::Item{};
  expect_malformed(request, "\"request\"");
  request = call_of("echo");
  request.assigns = item_of_json({1, 2});
  expect_malformed(request, "\"assigns\"");
}

TEST_F(MalformedRequestTest, BytesThatAreNoRequestAreAnsweredAndTheConnectionGoesOn) {
  serve();
  TestClient client = connect();
  const std::vector<std::vector<std::uint8_t>> frames = {{0, 0, 0, 0},        // nothing
                                                         {1, 0, 0, 0, 0xFF},  // a break
                                                         {1, 0, 0, 0, 0x01},  // a number
                                                         {1, 0, 0, 0, 0xA0},  // a map with nothing in it
                                                         {3, 0, 0, 0, 'a', 'b', 'c'}};
  for (const auto& frame : frames) {
    client.send_bytes(frame);
    const auto answer = client.receive();
    ASSERT_TRUE(answer && answer->error);
    EXPECT_EQ(answer->error->code, "malformed");
  }
  EXPECT_TRUE(client.ask(request_of(verb::kStatus)).document);
}

TEST_F(MalformedRequestTest, AnotherVersionOfTheProtocolIsRefusedInWordsWhateverElseItSays) {
  serve();
  TestClient client = connect();
  const auto body = item_of_json({{"protocol", 2}, {"seq", 8}, {"verb", {"is", "a", "list"}}});
  std::vector<std::uint8_t> frame = {static_cast<std::uint8_t>(body.size()), 0, 0, 0};
  frame.insert(frame.end(), body.begin(), body.end());
  client.send_bytes(frame);
  const auto answer = client.receive();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_EQ(answer->error->code, "protocol");
  EXPECT_EQ(answer->seq, 8u);
  EXPECT_THAT(answer->error->text, HasSubstr("version 2"));
}

}  // namespace
}  // namespace busbar::host
