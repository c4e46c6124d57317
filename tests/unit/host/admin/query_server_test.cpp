// What other nodes and clients are told over the call plane, and what they are not.
#include "admin/query_server.hpp"
#include "unit/host/admin/admin_testing.hpp"

#include <busbar/wire/envelope.hpp>

namespace busbar::host {
namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
namespace verb = wire::admin_verb;

/// Keeps what it is answered.
class FakeRequester final : public Requester {
 public:
  explicit FakeRequester(wire::Role role) : role_(role) {}
  Sent answer(std::span<const std::uint8_t> envelope, bool) noexcept override {
    const std::lock_guard lock(mutex_);
    if (envelope.size() > largest) return Sent::kTooLarge;
    if (std::exchange(full, false)) return Sent::kFull;
    answers_.emplace_back(envelope.begin(), envelope.end());
    return Sent::kYes;
  }
  bool gone() const noexcept override { return false; }
  wire::Role role() const noexcept override { return role_; }
  const std::string& name() const noexcept override { return name_; }
  std::uint64_t incarnation() const noexcept override { return 1; }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }
  /// The answer in the only envelope that came, which must be a document of this attempt.
  wire::AdminAnswer only_answer(std::uint64_t attempt) const {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(answers_.size(), 1u);
    if (answers_.empty()) return {};
    wire::Bytes frame = answers_.front();
    const wire::Envelope envelope = wire::read_envelope(frame);
    EXPECT_EQ(envelope.type, wire::EnvelopeType::document);
    EXPECT_EQ(envelope.attempt, attempt);
    EXPECT_TRUE(frame.empty());
    return cbor::decode<wire::AdminAnswer>(envelope.body);
  }

  std::size_t largest = std::numeric_limits<std::size_t>::max();
  bool full = false;  // for one answer

 private:
  const wire::Role role_;
  const std::string name_ = "asker";
  mutable std::mutex mutex_;
  std::vector<std::vector<std::uint8_t>> answers_;
};

class QueryServerTest : public AdminServerTest {
 protected:
  wire::AdminAnswer ask(const wire::AdminRequest& request, wire::Role role = wire::Role::client) {
    const Payload body = Payload::of(request);
    return ask_bytes(body.bytes(), role);
  }
  wire::AdminAnswer ask_bytes(wire::Bytes body, wire::Role role = wire::Role::client) {
    const auto requester = std::make_shared<FakeRequester>(role);
    queries_.serve(requester, 77, body);
    EXPECT_TRUE(eventually([&] { return requester->count() != 0; }));
    return requester->only_answer(77);
  }
  static wire::AdminRequest about(std::string_view verb, std::string_view service) {
    wire::AdminRequest request = request_of(verb, 5);
    request.service = service;
    return request;
  }

  QueryServer queries_{host_.dispatcher(), hooks()};
};

TEST_F(QueryServerTest, AnswersTheVerbsForCallers) {
  EXPECT_EQ(json_of(ask(request_of(verb::kNodes)).document), hooks().nodes());
  EXPECT_EQ(json_of(ask(about(verb::kDescribe, "echo")).document)["name"], "echo");
  EXPECT_EQ(json_of(ask(about(verb::kDiscover, "echo")).document),
            json({{"providers", {{{"node", "local"}, {"router", "tester"}}}}}));
  EXPECT_EQ(ask(request_of(verb::kNodes, 5)).seq, 5u);
}

// C-R1
TEST_F(QueryServerTest, PrivateServicesAreNotShownToOthers) {
  for (const wire::Role role : {wire::Role::client, wire::Role::node}) {
    const json services = json_of(ask(request_of(verb::kServices), role).document)["services"];
    ASSERT_EQ(services.size(), 1u);
    EXPECT_EQ(services[0]["name"], "echo");
    EXPECT_EQ(json_of(ask(about(verb::kDiscover, "hidden"), role).document)["providers"], json::array());
    const auto described = ask(about(verb::kDescribe, "hidden"), role);
    ASSERT_TRUE(described.error);
    EXPECT_EQ(described.error->code, "service_unavailable");
  }
}

TEST_F(QueryServerTest, RefusesVerbsThatInspectOrChangeTheHostInWords) {
  for (const std::string_view name : {verb::kPlugins, verb::kStatus, verb::kRescan, verb::kCalls, verb::kStats,
                                      verb::kLoad, verb::kUnload, verb::kReload, verb::kRollback}) {
    auto request = request_of(name, 5);
    request.plugin = "/greeter.so";
    const auto answer = ask(request);
    ASSERT_TRUE(answer.error) << name;
    EXPECT_EQ(answer.error->code, code::kForbidden);
    EXPECT_EQ(answer.seq, 5u);
    EXPECT_THAT(answer.error->text, HasSubstr("run directory"));
  }
  const auto call = ask(call_of("echo"));
  ASSERT_TRUE(call.error) << "a call travels as a request";
  EXPECT_FALSE(call.reply);
}

TEST_F(QueryServerTest, AClientLearnsHowAllNodesSeeTheClusterAndANodeAlone) {
  AdminHooks two = hooks();
  const json mine = {{"nodes",
                      {{{"name", "node-1"}, {"state", "self"}, {"incarnation", 1}},
                       {{"name", "node-2"}, {"state", "up"}, {"incarnation", 1}}}}};
  two.nodes = [&] { return mine; };
  QueryServer queries(host_.dispatcher(), two);
  const auto views = [&](wire::Role role) {
    const auto requester = std::make_shared<FakeRequester>(role);
    queries.serve(requester, 77, Payload::of(request_of(verb::kViews, 5)).bytes());
    EXPECT_TRUE(eventually([&] { return requester->count() != 0; }));
    return json_of(requester->only_answer(77).document)["views"];
  };
  const json for_client = views(wire::Role::client);
  ASSERT_EQ(for_client.size(), 2u);
  EXPECT_EQ(for_client[0]["nodes"], mine["nodes"]);
  EXPECT_THAT(for_client[1]["error"].get<std::string>(), HasSubstr("node-2")) << "nobody is connected to this host";
  const json for_node = views(wire::Role::node);
  EXPECT_THAT(for_node[1]["error"].get<std::string>(), HasSubstr("not asked"));
}

TEST_F(QueryServerTest, SaysThatTheAnswerCannotBeSent) {
  AdminHooks long_list = hooks();
  long_list.nodes = [] { return json{{"nodes", std::string(5'000, 'x')}}; };
  QueryServer queries(host_.dispatcher(), long_list);
  const Payload body = Payload::of(request_of(verb::kNodes, 5));
  const auto requester = std::make_shared<FakeRequester>(wire::Role::client);
  requester->largest = 1'024;  // the least that anybody may accept
  queries.serve(requester, 77, body.bytes());
  const auto too_large = requester->only_answer(77);
  ASSERT_TRUE(too_large.error);
  EXPECT_EQ(too_large.seq, 5u);
  EXPECT_EQ(too_large.error->code, wire::admin_code::kTooLarge);
  EXPECT_THAT(too_large.error->text, ContainsRegex("it has 5[0-9]{3} bytes, which is more than who asks accepts"));
  const auto busy = std::make_shared<FakeRequester>(wire::Role::client);
  busy->full = true;
  queries.serve(busy, 78, body.bytes());
  EXPECT_EQ(busy->only_answer(78).error.value().code, code::kOverloaded);
}

TEST_F(QueryServerTest, AnswersWhatCannotBeReadInWords) {
  const std::vector<std::vector<std::uint8_t>> bodies = {
      {}, {0xFF}, {0xA0}, {0x83, 0x01}, {0xA1, 0x64, 'v', 'e', 'r', 'b', 0x01}};
  for (const auto& body : bodies) {
    const auto answer = ask_bytes(body);
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->code, code::kMalformed);
  }
  EXPECT_THAT(ask(request_of("no_such_verb")).error.value().text, HasSubstr("no_such_verb"));
  wire::AdminRequest other_version = request_of(verb::kNodes);
  other_version.protocol = 99;
  EXPECT_EQ(ask(other_version).error.value().code, wire::admin_code::kProtocol);
}

}  // namespace
}  // namespace busbar::host
