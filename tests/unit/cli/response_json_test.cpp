// The shapes of interfaces.md, "A response in JSON", kind by kind.
#include "cli/response_json.hpp"

#include <limits>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using ::testing::HasSubstr;

std::string text_of(const Response& response) { return response_json(response).dump(); }

TEST(ResponseJson, Ok) {
  EXPECT_EQ(text_of(Response::ok()), R"({"response":"ok"})");
  EXPECT_EQ(text_of(Response::ok(5)), R"({"response":"ok","value":5})");
  EXPECT_EQ(text_of(Response::ok(5, 3)), R"({"response":"ok","value":5,"version":3})");
}

TEST(ResponseJson, OkWithAVersionAloneHasNoValueAndOkWithNullHas) {
  EXPECT_EQ(text_of(Response::ok_version(3)), R"({"response":"ok","version":3})");
  EXPECT_EQ(text_of(Response::ok_payload(Payload::from_json(nullptr))), R"({"response":"ok","value":null})");
}

TEST(ResponseJson, Created) {
  EXPECT_EQ(text_of(Response::created("42")), R"({"response":"created","id":"42"})");
  EXPECT_EQ(text_of(Response::created("42", 0)), R"({"response":"created","id":"42","version":0})");
}

TEST(ResponseJson, ServiceUnavailable) {
  EXPECT_EQ(text_of(Response::service_unavailable("greet")), R"({"response":"service_unavailable","service":"greet"})");
}

TEST(ResponseJson, ServiceTimeout) {
  EXPECT_EQ(text_of(Response::service_timeout("greet", "abc", 5000)),
            R"({"response":"service_timeout","service":"greet","message_id":"abc","timeout_ms":5000})");
}

TEST(ResponseJson, ValidationError) {
  EXPECT_EQ(
      text_of(Response::validation_error({{"owner.name", "text", "integer 7"}})),
      R"({"response":"validation_error","details":[{"expected":"text","found":"integer 7","path":"owner.name"}]})");
  EXPECT_EQ(text_of(Response::validation_error_payload({})), R"({"response":"validation_error","details":[]})");
}

TEST(ResponseJson, MissingId) {
  EXPECT_EQ(text_of(Response::missing_id("order")), R"({"response":"missing_id","field":"order"})");
}

TEST(ResponseJson, ErrorOfAnApplication) {
  EXPECT_EQ(text_of(Response::error("out_of_stock", "none left")),
            R"({"response":"error","code":"out_of_stock","text":"none left"})");
  EXPECT_EQ(text_of(Response::error("out_of_stock", "", Payload::of(3))),
            R"({"response":"error","code":"out_of_stock","text":"","value":3})");
}

TEST(ResponseJson, BadRpcHasItsKind) {
  EXPECT_EQ(text_of(Response::bad_rpc(badrpc::kExit, "boom")),
            R"({"response":"error","code":"badrpc","text":"boom","kind":"exit"})");
}

TEST(ResponseJson, TryAnotherNodeHasItsReason) {
  EXPECT_EQ(text_of(Response::try_another_node("full")),
            R"({"response":"error","code":"try_another_node","text":"","reason":"full"})");
}

TEST(ResponseJson, NoNodesAvailableHasNodesAndNoValue) {
  const Json json = response_json(Response::no_nodes_available({{"local", "full"}, {"b", "overloaded"}}));
  EXPECT_EQ(json.at("nodes").dump(), R"([{"node":"local","reason":"full"},{"node":"b","reason":"overloaded"}])");
  EXPECT_FALSE(json.contains("value"));
}

TEST(ResponseJson, NumbersAreExactOverSixtyFourBits) {
  EXPECT_EQ(text_of(Response::ok(std::numeric_limits<std::uint64_t>::max())),
            R"({"response":"ok","value":18446744073709551615})");
  EXPECT_EQ(text_of(Response::ok(std::numeric_limits<std::int64_t>::min())),
            R"({"response":"ok","value":-9223372036854775808})");
  EXPECT_EQ(text_of(Response::ok(0.1)), R"({"response":"ok","value":0.1})");
  EXPECT_EQ(text_of(Response::ok(1.0, std::numeric_limits<std::int64_t>::min())),
            R"({"response":"ok","value":1.0,"version":-9223372036854775808})");
}

TEST(ResponseJson, BytesAreBase64) {
  EXPECT_EQ(text_of(Response::ok(std::vector<std::uint8_t>{1, 2, 3})),
            R"({"response":"ok","value":{"$bytes":"AQID"}})");
}

TEST(ResponseJson, WhatJsonCannotSayIsAFailureInWords) {
  const Failure failure = failure_of([] { response_json(Response::ok(std::numeric_limits<double>::quiet_NaN())); });
  EXPECT_EQ(failure.status(), ExitStatus::error);
  EXPECT_EQ(failure.code(), "not_json");
  EXPECT_THAT(failure.what(), HasSubstr("not finite"));
  EXPECT_EQ(failure_of([] { payload_json(Payload::own({0x82, 0x01})); }).code(), "not_json");
}

// -- all of what came back

wire::AdminReply reply_with(const Response& response) {
  wire::AdminReply reply;
  reply.response = wire::to_wire(response);
  reply.node = "node-1";
  reply.duration_us = 1234;
  reply.message_id = "id";
  reply.correlation_id = "correlation";
  return reply;
}

// C-M9
TEST(ReplyJson, BeginsWithTheResponseAndHasIdsAssignsAndEvents) {
  wire::AdminReply reply = reply_with(Response::ok(1));
  EXPECT_EQ(reply_json(reply).dump(), R"({"response":"ok","node":"node-1","duration_us":1234,"value":1,)"
                                      R"("message_id":"id","correlation_id":"correlation"})");
  reply.assigns = cbor::from_json({{"user", "ada"}});
  reply.events = cbor::from_json({"one", "two"});
  reply.warning = "careful";
  const Json json = reply_json(reply);
  EXPECT_EQ(json.at("assigns").dump(), R"({"user":"ada"})");
  EXPECT_EQ(json.at("events").dump(), R"(["one","two"])");
  EXPECT_EQ(json.at("warning"), "careful");
}

TEST(ReplyJson, ResponsesSurviveTheWire) {
  for (const Response& response :
       {Response::ok(), Response::ok(std::string("x"), -1), Response::ok_payload(Payload::from_json(nullptr)),
        Response::created("7"), Response::service_unavailable("a"), Response::service_timeout("a", "b", 1),
        Response::validation_error({}), Response::missing_id("f"), Response::bad_rpc("exit", "boom"),
        Response::no_nodes_available({{"local", "r"}})}) {
    EXPECT_EQ(text_of(wire::from_wire(wire::to_wire(response))), text_of(response));
  }
}

TEST(ReplyJson, AKindOfALaterVersionIsNoAnswer) {
  wire::WireResponse later;
  later.kind = "postponed";
  const Response response = wire::from_wire(later);
  EXPECT_EQ(response.kind(), Response::Kind::none);
  EXPECT_EQ(exit_status_of(response), ExitStatus::error);
}

// -- the rest

TEST(ExitStatusOf, IsWhatScriptsRelyOn) {
  const auto status = [](const Response& response) { return static_cast<int>(exit_status_of(response)); };
  EXPECT_EQ(status(Response::ok()), 0);
  EXPECT_EQ(status(Response::created("1")), 0);
  EXPECT_EQ(status(Response::error("own")), 1);
  EXPECT_EQ(status(Response::error(code::kOverloaded)), 1);
  EXPECT_EQ(status(Response::bad_rpc(badrpc::kExit, "")), 1);
  EXPECT_EQ(status(Response::service_unavailable("a")), 3);
  EXPECT_EQ(status(Response::service_timeout("a", "b", 1)), 4);
  EXPECT_EQ(status(Response::bad_rpc(badrpc::kTimeout, "")), 4);
  EXPECT_EQ(status(Response::validation_error({})), 5);
  EXPECT_EQ(status(Response::missing_id("f")), 5);
  EXPECT_EQ(status(Response::forbidden()), 6);
}

TEST(FailureJson, HasCodeAndTextAndThePositionWhereThereIsOne) {
  EXPECT_EQ(failure_json(Failure(ExitStatus::no_host, "no_host", "nobody", "start one")).dump(),
            R"({"error":{"code":"no_host","text":"nobody","hint":"start one"}})");
  EXPECT_EQ(failure_json(Failure(ExitStatus::usage, "json", "odd").at(2, 3)).dump(),
            R"({"error":{"code":"json","text":"odd","line":2,"column":3}})");
}

}  // namespace
}  // namespace busbar::cli
