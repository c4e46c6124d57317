#include "cli/people.hpp"

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const Palette kPlain(false);

std::string reply(const Response& response) {
  wire::AdminReply out;
  out.response = wire::to_wire(response);
  out.node = "node-1";
  out.duration_us = 1203;
  out.message_id = "id";
  return reply_text(out, kPlain);
}

TEST(ReplyText, ShowsTheValueAsIndentedJson) {
  EXPECT_EQ(reply(Response::ok(std::vector<int>{1, 2}, 7)),
            "ok, version 7\n[\n  1,\n  2\n]\nmessage id, node node-1, 1.203 ms\n");
}

TEST(ReplyText, SaysEveryKindInWords) {
  EXPECT_THAT(reply(Response::ok()), ::testing::StartsWith("ok\nmessage"));
  EXPECT_THAT(reply(Response::created("42", 1)), HasSubstr("created 42, version 1\n"));
  EXPECT_THAT(reply(Response::service_unavailable("greet")), HasSubstr("nobody offers \"greet\""));
  EXPECT_THAT(reply(Response::service_timeout("greet", "id", 50)), HasSubstr("\"greet\" did not answer within 50 ms"));
  EXPECT_THAT(reply(Response::missing_id("order")), HasSubstr("no field \"order\""));
  EXPECT_THAT(reply(Response::bad_rpc("exit", "boom")), HasSubstr("error badrpc (exit): boom"));
  EXPECT_THAT(reply(Response::try_another_node("full")), HasSubstr("error try_another_node: full"));
}

TEST(ReplyText, ShowsAllThatIsWrongWithARequest) {
  const std::string text =
      reply(Response::validation_error({{"a.b", "text", "integer 7"}, {"c", "integer", "nothing"}}));
  EXPECT_THAT(text, HasSubstr("FIELD  EXPECTED  FOUND\n"));
  EXPECT_THAT(text, HasSubstr("a.b    text      integer 7\n"));
  EXPECT_THAT(text, HasSubstr("c      integer   nothing\n"));
  EXPECT_THAT(reply(Response::no_nodes_available({{"local", "full"}})), HasSubstr("local  full\n"));
}

TEST(ReplyText, LetsNoAnswerActUponTheTerminal) {
  EXPECT_THAT(reply(Response::ok(std::string("\x1b[2J\xC2\x9B"))), Not(HasSubstr("\x1b")));
  EXPECT_THAT(reply(Response::ok(std::string("\xC2\x9B"))), HasSubstr("\\u009b"));
  EXPECT_THAT(reply(Response::error("own", "\x1b[2J")), Not(HasSubstr("\x1b")));
}

TEST(ServicesText, IsATable) {
  const Json document = Json::parse(R"({"services": [
      {"name": "greet", "visibility": "public", "doc": "Greets.", "plugin": "greeter", "inline": false,
       "providers": ["a", "b"]}]})");
  EXPECT_EQ(services_text(document, kPlain),
            "SERVICE  VISIBILITY  PLUGIN   INLINE  PROVIDERS  WHAT IT DOES\n"
            "greet    public      greeter  no      a, b       Greets.\n");
  EXPECT_EQ(services_text(Json::object(), kPlain), "no services\n");
}

TEST(PluginsText, ShowsTheReasonOfWhatFailedBelowTheTable) {
  const Json document = Json::parse(R"({"plugins": [
      {"name": "greeter", "version": "1.0", "generation": 2, "state": "serving", "file": "/p/greeter.so", "reason": null,
       "services": ["greet"], "max_running": 4, "max_queued": 9, "calls_running": 1, "calls_served": 20, "errors": 0, "since": "2026-01-02T03:04:05Z"},
      {"name": null, "state": "failed", "file": "/p/odd.so", "reason": "not an ELF file"}]})");
  const std::string text = plugins_text(document, kPlain);
  EXPECT_THAT(
      text,
      HasSubstr(
          "greeter    1.0      2    serving  1        20      0       2026-01-02T03:04:05Z  4 at a time and 9 that "
          "wait  greet\n"));
  EXPECT_THAT(text, HasSubstr("/p/odd.so  -        -    failed   -"));
  EXPECT_THAT(text, HasSubstr("/p/odd.so: not an ELF file\n"));
}

TEST(StatusText, IsForReading) {
  const Json document = Json::parse(R"({"node": "a", "version": "0.1.0", "ready": true, "uptime_s": 93784.5,
      "cluster": {}, "pool": {"threads": 2, "queued": 0}, "plugins": {"serving": 3, "failed": 1}})");
  const std::string text = status_text(document, kPlain);
  EXPECT_THAT(text, HasSubstr("node         a\n"));
  EXPECT_THAT(text, HasSubstr("ready        yes\n"));
  EXPECT_THAT(text, HasSubstr("uptime       1 d 2 h 3 min 4 s\n"));
  EXPECT_THAT(text, HasSubstr("plugins      serving 3, failed 1\n"));
  EXPECT_THAT(text, HasSubstr("pool         threads 2, queued 0\n"));
  EXPECT_THAT(text, HasSubstr("cluster      -\n"));
  EXPECT_THAT(text, HasSubstr("security     -\n"));
  EXPECT_THAT(text, HasSubstr("turned away  nobody\n"));
}

TEST(StatusText, SaysWhyAHostIsNotReady) {
  const Json document = {{"ready", false}, {"not_ready", {"service \"greet\" is not provided here", "it is stopping"}}};
  EXPECT_THAT(status_text(document, kPlain),
              HasSubstr("ready        no: service \"greet\" is not provided here, it is stopping\n"));
  EXPECT_THAT(
      status_text({{"ready", true}, {"not_ready", Json::array()}, {"http", {{"address", "127.0.0.1:1"}}}}, kPlain),
      AllOf(HasSubstr("ready        yes\n"), HasSubstr("http         127.0.0.1:1\n")));
}

TEST(StatusText, SaysWhetherThereAreKeysAndWhoWasTurnedAway) {
  const auto of = [](const char* cluster) { return status_text({{"cluster", Json::parse(cluster)}}, kPlain); };
  const std::string keys = of(R"({"nodes": 3, "insecure": false, "security": {"mode": "curve", "authorized": 12,
      "renewing": 2, "turned_away": {"malformed": 0, "too_fast": 7, "unlisted_key": 1}}})");
  EXPECT_THAT(keys, HasSubstr("cluster      nodes 3, insecure no\n"));
  EXPECT_THAT(keys, HasSubstr("security     curve, 12 keys let in, 2 connections to be renewed\n"));
  EXPECT_THAT(keys, HasSubstr("turned away  too_fast 7, unlisted_key 1\n"));
  EXPECT_THAT(of(R"({"insecure": false, "security": {"mode": "none"}})"), HasSubstr("no keys, this machine alone\n"));
  EXPECT_THAT(of(R"({"insecure": true, "security": {"mode": "none"}})"),
              HasSubstr("INSECURE: no keys, and other machines reach it\n"));
}

TEST(DescriptionText, SaysAllOfAServiceAndWarnsWhereADryRunIsNotSafe) {  // C-D10
  const Json document = Json::parse(R"({"name": "greet", "doc": "Greets.", "plugin": "greeter", "version": "1.0",
      "inline": true, "idempotent": false, "dry_run_safe": false, "timeout_ms": 250, "providers": ["a", "b"],
      "described_by": "b"})");
  const std::string text = description_text(document, "", kPlain);
  EXPECT_THAT(text, HasSubstr("service       greet\n"));
  EXPECT_THAT(text, HasSubstr("what it does  Greets.\n"));
  EXPECT_THAT(text, HasSubstr("plugin        greeter 1.0\n"));
  EXPECT_THAT(text, HasSubstr("timeout       250 ms\n"));
  EXPECT_THAT(text, HasSubstr("inline        yes\n"));
  EXPECT_THAT(text, HasSubstr("idempotent    no\n"));
  EXPECT_THAT(text, HasSubstr("dry-run safe  no: with --dry-run it may do what a real call does\n"));
  EXPECT_THAT(text, HasSubstr("providers     a, b\n"));
  EXPECT_THAT(text, HasSubstr("described by  b\n"));
}

TEST(NodesText, IsATable) {
  const Json document = Json::parse(R"({"nodes": [
      {"name": "a", "state": "self", "address": "tcp://10.0.0.1:1", "registry_address": "tcp://10.0.0.1:2",
       "incarnation": 1, "since": "2026-01-02T03:04:05Z", "round_trip_us": 0, "services": 3},
      {"name": "b", "state": "up", "address": "tcp://10.0.0.2:1", "registry_address": "tcp://10.0.0.2:2",
       "incarnation": 1, "since": "2026-01-02T03:04:06Z", "round_trip_us": 1234, "services": 0}]})");
  const std::string text = nodes_text(document, kPlain);
  EXPECT_THAT(text,
              HasSubstr("NODE  STATE  ADDRESS           REGISTRY ADDRESS  ROUND TRIP  SINCE                 SERV"));
  EXPECT_THAT(text,
              HasSubstr("a     self   tcp://10.0.0.1:1  tcp://10.0.0.1:2  -           2026-01-02T03:04:05Z  3\n"));
  EXPECT_THAT(text,
              HasSubstr("b     up     tcp://10.0.0.2:1  tcp://10.0.0.2:2  1.234 ms    2026-01-02T03:04:06Z  0\n"));
  Json just_met = document;
  just_met["nodes"][1]["round_trip_us"] = 0;
  EXPECT_THAT(nodes_text(just_met, kPlain), HasSubstr("tcp://10.0.0.2:2  -           2026-01-02T03:04:06Z  0\n"));
  EXPECT_EQ(nodes_text(Json::object(), kPlain), "no nodes\n");
  EXPECT_THAT(text, Not(HasSubstr("insecure")));
  Json insecure = document;
  insecure["insecure"] = true;
  EXPECT_THAT(nodes_text(insecure, kPlain), StartsWith("insecure: without keys"));
}

TEST(NodesText, HasThoseThatWereLostWithTheReason) {
  const std::string text = nodes_text(Json::parse(R"({"nodes": [
      {"name": "a", "state": "self", "address": "tcp://10.0.0.1:1", "registry_address": "tcp://10.0.0.1:2",
       "since": "2026-01-02T03:04:05Z", "round_trip_us": 0, "services": 3}], "departed": [
      {"name": "b", "registry_address": "tcp://10.0.0.2:2", "incarnation": 1, "may_return": true,
       "since": "2026-01-02T03:04:06Z", "reason": "nothing was heard of it for 3000 ms"},
      {"name": "c", "registry_address": "tcp://10.0.0.3:2", "incarnation": 1, "may_return": false,
       "since": "2026-01-02T03:04:07Z", "reason": "it said goodbye"}]})"),
                                      kPlain);
  EXPECT_THAT(text,
              HasSubstr("b     lost   -                 tcp://10.0.0.2:2  -           2026-01-02T03:04:06Z  -\n"));
  EXPECT_THAT(text, HasSubstr("\n\nb: nothing was heard of it for 3000 ms\n"));
  EXPECT_THAT(text, Not(HasSubstr("goodbye"))) << "nobody misses it";
  EXPECT_THAT(text, Not(HasSubstr("10.0.0.3")));
}

TEST(DescriptionText, ShowsWhatAServiceTakesAndGivesAndHowItIsCalled) {
  const Json document = Json::parse(R"({"name": "greet", "request": {"type": "object", "properties":
      {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}}, "required": ["name"]},
      "response": {"type": "null"}, "example": {"name": "it's me"}})");
  const std::string text = description_text(document, "--run-dir /r ", kPlain);
  EXPECT_THAT(text, HasSubstr("request\n"
                              "  FIELD  TYPE     REQUIRED  DEFAULT\n"
                              "  name   text     yes       -\n"
                              "  times  integer  no        1\n"
                              "response\n"
                              "  null\n"
                              "example\n"
                              "  busbar --run-dir /r call greet '{\"name\":\"it'\\''s me\"}'\n"));
}

TEST(DescriptionText, ShowsWithWhichAssignsAnExampleWorks) {
  const Json document = Json::parse(R"({"name": "greet", "example": {}, "example_assigns": {"user": "it's me",
      "roles": [1, "a b"]}})");
  EXPECT_THAT(description_text(document, "", kPlain),
              HasSubstr("  busbar call greet '{}' --assign 'user=\"it'\\''s me\"' --assign 'roles=[1,\"a b\"]'\n"));
}

TEST(DescriptionText, ShowsHowItIsPickedAndHowManyCallsAreTaken) {
  const std::string text = description_text(Json::parse(R"({"strategy": "sticky", "sticky_field": "town",
      "max_running": 8, "max_queued": 100, "plugin_limit": {"max_running": 9}})"),
                                            "", kPlain);
  EXPECT_THAT(text, HasSubstr("strategy      sticky by \"town\"\n"));
  EXPECT_THAT(text, HasSubstr("\nlimit         8 at a time and 100 that wait\n"));
  EXPECT_THAT(text, HasSubstr("\nplugin limit  9 at a time\n"));
  const std::string unsaid = description_text(Json::object(), "", kPlain);
  for (const char* line : {"\nstrategy      -\n", "\nlimit         -\n", "\nplugin limit  -\n"}) {
    EXPECT_THAT(unsaid, HasSubstr(line));
  }
}

TEST(AnyDocument, OfAnotherShapeIsShownAsFarAsItGoes) {
  for (const char* odd :
       {"null", "[]",
        "{\"request\": 1, \"response\": {\"type\": []}, \"example\": null, \"example_assigns\": [1], \"name\": 5}",
        "{\"max_running\": \"8\", \"plugin_limit\": {\"max_running\": -1}, \"strategy\": 5}",
        "{\"max_running\": 1e99, \"max_queued\": 18446744073709551615, \"plugin_limit\": []}",
        "{\"services\": 1, \"plugins\": [1, null], \"providers\": [[]], \"nodes\": [{}, 3]}", "5"}) {
    const Json document = Json::parse(odd);
    services_text(document, kPlain);
    plugins_text(document, kPlain);
    providers_text(document, "a", kPlain);
    status_text(document, kPlain);
    nodes_text(document, kPlain);
    description_text(document, "", kPlain);
  }
}

TEST(FailureText, PutsTheHintOnALineOfItsOwn) {
  EXPECT_EQ(failure_text(Failure(ExitStatus::usage, "usage", "could not", "try this"), kPlain),
            "busbar: could not\nhint: try this\n");
}

}  // namespace
}  // namespace busbar::cli
