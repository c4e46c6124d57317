// Describing a service, and the verbs that say where something is to be served.
#include <busbar/wire/envelope.hpp>

#include <future>

#include "admin/describe_elsewhere.hpp"
#include "unit/host/admin/admin_testing.hpp"

namespace busbar::host {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace verb = wire::admin_verb;

class DescribeTest : public AdminServerTest {
 protected:
  static wire::AdminRequest describe(std::string_view service, std::optional<std::string> node = {}) {
    wire::AdminRequest request = request_of(verb::kDescribe, 9);
    request.service = service;
    request.node = std::move(node);
    return request;
  }
};

TEST_F(DescribeTest, DescribesWhatThisHostOffersItselfPrivateOrNot) {
  serve();
  TestClient client = connect();
  const auto answer = client.ask(describe("echo"));
  EXPECT_EQ(answer.seq, 9u);
  EXPECT_EQ(json_of(answer.document)["described_by"], "node-1");
  EXPECT_EQ(json_of(client.ask(describe("hidden")).document)["visibility"], "private");
  EXPECT_EQ(json_of(client.ask(describe("echo", "node-1")).document)["name"], "echo");
}

TEST_F(DescribeTest, SaysThatNobodyProvidesIt) {
  serve();
  for (const auto& request : {describe("absent"), describe("absent", "node-1")}) {
    const auto answer = connect().ask(request);
    ASSERT_TRUE(answer.error);
    EXPECT_EQ(answer.error->code, "service_unavailable");
    EXPECT_EQ(answer.error->text, "could not describe service \"absent\": nobody provides it");
    EXPECT_EQ(answer.seq, 9u);
  }
}

TEST_F(DescribeTest, SaysThatANodeThatIsNotThereDidNotAnswer) {
  serve();
  const auto answer = connect().ask(describe("echo", "node-2"));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, "badrpc");
  EXPECT_THAT(answer.error->text, HasSubstr("could not describe service \"echo\": node \"node-2\" did not answer"));
}

// Each is found to be away before the question has left; the stack must not grow with them.
TEST_F(DescribeTest, HoweverManyNodesAreAwayTheLastOneIsTold) {
  std::vector<std::string> nodes(50'000, "node-2");
  nodes.push_back("node-3");
  wire::AdminRequest request = describe("echo");
  request.timeout_ms = 600'000;
  std::promise<std::vector<std::uint8_t>> told;
  describe_elsewhere(host_.dispatcher(), request, std::move(nodes),
                     [&](std::vector<std::uint8_t> frame) { told.set_value(std::move(frame)); });
  const std::vector<std::uint8_t> frame = told.get_future().get();
  const auto answer = cbor::decode<wire::AdminAnswer>(wire::Bytes(frame).subspan(wire::kFrameHead));
  ASSERT_TRUE(answer.error);
  EXPECT_THAT(answer.error->text, HasSubstr("node \"node-3\" did not answer"));
}

TEST_F(DescribeTest, RefusesWhatIsNoNodesName) {
  serve();
  for (std::string name : {"local", "", "a b"}) {
    wire::AdminRequest request = call_of("echo");
    request.node = name;
    const auto answer = connect().ask(request);
    ASSERT_TRUE(answer.error) << name;
    EXPECT_EQ(answer.error->code, code::kMalformed);
    EXPECT_THAT(answer.error->text, HasSubstr("field \"node\": expected"));
  }
}

}  // namespace
}  // namespace busbar::host
