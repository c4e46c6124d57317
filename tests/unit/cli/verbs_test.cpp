// Verbs from the request to the exit status, with a host that says what the test wants.
#include "cli/verbs.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class VerbsTest : public ::testing::Test {
 protected:
  /// Runs a command line against a host that gives `answer`.
  int run(std::vector<std::string> arguments, const wire::AdminAnswer& answer) {
    const Command command =
        parse_command_line(std::move(arguments), [](const char*) -> const char* { return nullptr; });
    const auto ask = [&](const wire::AdminRequest& request) {
      asked = request;
      if (refused && request.verb == refused->first) throw refused->second;
      const auto own = answers.find(request.verb);
      return own == answers.end() ? answer : own->second;
    };
    std::istringstream in(input);
    std::ostringstream out_stream, err_stream;
    const ExitStatus status = run_verb(command, ask, {in, out_stream, err_stream});
    out = out_stream.str();
    err = err_stream.str();
    return static_cast<int>(status);
  }
  json document() const { return json::parse(out); }

  static wire::AdminAnswer replied(const Response& response) {
    wire::AdminAnswer answer;
    answer.reply.emplace().response = wire::to_wire(response);
    return answer;
  }
  static wire::AdminAnswer documented(const json& document) {
    wire::AdminAnswer answer;
    answer.document = cbor::from_json(document);
    return answer;
  }
  static wire::AdminAnswer verdict(std::optional<bool> authorized, const std::optional<Response>& response = {}) {
    wire::AdminAnswer answer;
    if (response) answer = replied(*response);
    answer.authorized = authorized;
    return answer;
  }

  std::map<std::string, wire::AdminAnswer> answers;        // of verbs that are answered otherwise
  std::optional<std::pair<std::string, Failure>> refused;  // a verb that is not answered
  wire::AdminRequest asked;
  std::string input, out, err;
};

TEST_F(VerbsTest, CallAsksForAllThatWasGiven) {
  input = "{\"a\": 1}";
  EXPECT_EQ(
      run({"call", "greet", "-", "--timeout", "7", "--assign", "u=1", "--dry-run=verbose"}, replied(Response::ok())),
      0);
  EXPECT_EQ(asked.verb, "call");
  EXPECT_EQ(asked.service, "greet");
  EXPECT_EQ(cbor::to_json(asked.request.value()), json({{"a", 1}}));
  EXPECT_EQ(cbor::to_json(asked.assigns.value()), json({{"u", 1}}));
  EXPECT_EQ(asked.timeout_ms, 7u);
  EXPECT_EQ(asked.dry_run, "verbose");
}

TEST_F(VerbsTest, ACallWithoutARequestSendsAnEmptyMap) {
  run({"call", "greet"}, replied(Response::ok()));
  EXPECT_EQ(asked.request, wire::Item{0xA0});
  EXPECT_FALSE(asked.assigns);
  EXPECT_FALSE(asked.timeout_ms);
}

TEST_F(VerbsTest, WhatIsNoJsonIsNotSent) {
  EXPECT_EQ(failure_of([&] { run({"call", "greet", "{"}, replied(Response::ok())); }).status(), ExitStatus::usage);
  EXPECT_EQ(asked.verb, "");
}

TEST_F(VerbsTest, WithJsonThereIsOneDocumentAndNothingElse) {
  EXPECT_EQ(run({"call", "greet", "--json"}, replied(Response::missing_id("order"))), 5);
  EXPECT_EQ(document()["response"], "missing_id");
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
  EXPECT_EQ(err, "");
}

TEST_F(VerbsTest, NothingIsWrittenOfAnAnswerThatCannotBeShown) {
  const wire::AdminAnswer answer = replied(Response::ok_payload(Payload::own({0xF9, 0x7E, 0x00})));  // NaN
  EXPECT_EQ(failure_of([&] { run({"call", "greet", "--json"}, answer); }).code(), "not_json");
  EXPECT_EQ(out, "");
}

// C-D10
TEST_F(VerbsTest, AWarningIsForPeopleOnStandardErrorAndAMemberInJson) {
  wire::AdminAnswer answer = replied(Response::ok());
  answer.reply->warning = "not dry-run safe";
  EXPECT_EQ(run({"validate", "greet"}, answer), 0);
  EXPECT_EQ(err, "warning: not dry-run safe\n");
  EXPECT_EQ(run({"validate", "greet", "--json"}, answer), 0);
  EXPECT_EQ(err, "");
  EXPECT_EQ(document()["warning"], "not dry-run safe");
}

// C-D11
TEST_F(VerbsTest, AuthorizedExitsWithItsVerdict) {
  EXPECT_EQ(run({"authorized", "greet", "--json"}, verdict(true)), 0);
  EXPECT_EQ(out, "{\"authorized\":true}\n");
  EXPECT_EQ(run({"authorized", "greet", "--json"}, verdict(false, Response::forbidden())), 6);
  EXPECT_EQ(out, "{\"authorized\":false}\n");
  EXPECT_EQ(run({"authorized", "greet", "--json"}, verdict(false, Response::error("too_late"))), 6);
  EXPECT_EQ(run({"authorized", "greet", "--json"}, verdict({}, Response::service_unavailable("greet"))), 3);
  EXPECT_EQ(document()["response"], "service_unavailable");
  EXPECT_EQ(run({"authorized", "greet"}, verdict({}, Response::bad_rpc(badrpc::kTimeout, "late"))), 4);
  EXPECT_EQ(run({"authorized", "greet"}, verdict(true)), 0);
  EXPECT_EQ(out, "yes\n");
  EXPECT_EQ(run({"authorized", "greet"}, verdict(false, Response::error("too_late", "tomorrow"))), 6);
  EXPECT_EQ(out, "no: error too_late: tomorrow\n");
}

// C-D12
TEST_F(VerbsTest, DiscoverExitsWith3WhereNobodyIsFound) {
  EXPECT_EQ(run({"discover", "greet", "--json"}, documented({{"providers", {{{"node", "local"}, {"router", "g"}}}}})),
            0);
  EXPECT_EQ(out, R"({"providers":[{"node":"local","router":"g"}]})"
                 "\n");
  EXPECT_FALSE(asked.request);
  EXPECT_EQ(run({"discover", "greet", "--json"}, documented({{"providers", json::array()}})), 3);
  EXPECT_EQ(out, "{\"providers\":[]}\n");
  EXPECT_EQ(run({"discover", "greet"}, documented({{"providers", json::array()}})), 3);
  EXPECT_THAT(out, HasSubstr("nobody offers \"greet\""));
}

// C-R7
TEST_F(VerbsTest, ServicesAreListedByVisibility) {
  const auto answer = documented(
      {{"services", {{{"name", "a"}, {"visibility", "public"}}, {{"name", "b"}, {"visibility", "private"}}}}});
  run({"services", "--json"}, answer);
  EXPECT_EQ(document()["services"].size(), 2u);
  run({"services", "--json", "--visibility", "private"}, answer);
  ASSERT_EQ(document()["services"].size(), 1u);
  EXPECT_EQ(document()["services"][0]["name"], "b");
  run({"services", "--json", "--visibility", "public"}, answer);
  EXPECT_EQ(document()["services"][0]["name"], "a");
}

TEST_F(VerbsTest, ACallForOneNodeSaysWhich) {
  run({"call", "greet", "--node", "n2"}, replied(Response::ok()));
  EXPECT_EQ(asked.node, "n2");
  run({"call", "greet"}, replied(Response::ok()));
  EXPECT_FALSE(asked.node);
}

// C-D2
TEST_F(VerbsTest, ANodeThatDoesNotOfferTheServiceIsNamedAndSoIsWhoDoes) {
  answers["nodes"] = documented({{"nodes", {{{"name", "a"}}, {{"name", "n2"}}, {{"name", "c"}}}}});
  answers["discover"] = documented({{"providers", {{{"node", "local"}}, {{"node", "c"}}}}});
  const auto unavailable = replied(Response::service_unavailable("greet"));
  EXPECT_EQ(run({"call", "greet", "--node", "n2"}, unavailable), 3);
  EXPECT_THAT(out, StartsWith("service unavailable: node \"n2\" was asked, and does not offer \"greet\"; offered by "
                              "\"a\", \"c\"\n"));
  answers["discover"] = documented({{"providers", json::array()}});
  EXPECT_EQ(run({"call", "greet", "--node", "n2"}, unavailable), 3);
  EXPECT_THAT(out, HasSubstr("does not offer \"greet\"; no other node is known that does\n"));
  EXPECT_EQ(run({"call", "greet", "--node", "n2", "--json"}, unavailable), 3);
  EXPECT_EQ(document()["response"], "service_unavailable");
  EXPECT_EQ(asked.verb, "call") << "a program is told as ever, and nothing more is asked for it";
}

TEST_F(VerbsTest, OfANodeThatCannotBeReachedItIsSaidWhatIsKnown) {
  const auto down = replied(Response::bad_rpc(badrpc::kNodedown, "not there"));
  answers["nodes"] = documented(
      {{"nodes", {{{"name", "a"}, {"state", "self"}}, {{"name", "n2"}, {"state", "unreachable"}}, {{"name", 7}}}}});
  EXPECT_EQ(run({"call", "greet", "--node", "n2"}, down), 1);
  EXPECT_THAT(out, StartsWith("error badrpc (nodedown): not there; node \"n2\" is known, and unreachable\n"));
  EXPECT_EQ(run({"call", "greet", "--node", "n3"}, down), 1);
  EXPECT_THAT(out,
              StartsWith("error badrpc (nodedown): not there; node \"n3\" is not known, these are: \"a\", \"n2\""));
  EXPECT_EQ(run({"call", "greet"}, down), 1);
  EXPECT_THAT(out, StartsWith("error badrpc (nodedown): not there\n"));
}

TEST_F(VerbsTest, AHostThatSaysNoMoreOfANodeIsNoFailure) {
  const auto unavailable = replied(Response::service_unavailable("greet"));  // to all that is asked
  EXPECT_EQ(run({"call", "greet", "--node", "n2"}, unavailable), 3);
  EXPECT_THAT(out, HasSubstr("node \"n2\" was asked, and does not offer \"greet\""));
}

TEST_F(VerbsTest, DescribeAsksForOneService) {
  const json description = {{"name", "greet"}, {"doc", "Greets."}, {"dry_run_safe", false}};
  EXPECT_EQ(run({"describe", "greet", "--json"}, documented(description)), 0);
  EXPECT_EQ(document(), description);
  EXPECT_EQ(asked.verb, "describe");
  EXPECT_EQ(asked.service, "greet");
  EXPECT_FALSE(asked.request);
  EXPECT_EQ(run({"describe", "greet"}, documented(description)), 0);
  EXPECT_THAT(out, HasSubstr("Greets."));
}

TEST_F(VerbsTest, NodesAreListed) {
  const json nodes = {{"nodes", {{{"name", "n1"}, {"state", "self"}}}}};
  EXPECT_EQ(run({"nodes", "--json"}, documented(nodes)), 0);
  EXPECT_EQ(document(), nodes);
  EXPECT_EQ(asked.verb, "nodes");
  EXPECT_FALSE(asked.service);
  EXPECT_EQ(run({"nodes"}, documented(nodes)), 0);
  EXPECT_THAT(out, HasSubstr("n1"));
}

TEST_F(VerbsTest, ViewsOfTheNodesThatDifferAreAnError) {
  const json same = {{"views", {{{"node", "a"}}, {{"node", "b"}}}}, {"differences", json::array()}, {"agree", true}};
  EXPECT_EQ(run({"nodes", "--views", "--json"}, documented(same)), 0);
  EXPECT_EQ(document(), same);
  EXPECT_EQ(asked.verb, "views");
  EXPECT_FALSE(asked.timeout_ms);
  EXPECT_EQ(run({"nodes", "--views"}, documented(same)), 0);
  EXPECT_EQ(out, "all 2 nodes see the same\n");
  json other = same;
  other["differences"].push_back({{"kind", "no_answer"}, {"node", "b"}, {"reason", "it sleeps"}});
  other["agree"] = false;
  EXPECT_EQ(run({"nodes", "--views", "--json", "--timeout", "700"}, documented(other)), 1);
  EXPECT_EQ(document(), other);
  EXPECT_EQ(asked.timeout_ms, 700u);
  EXPECT_EQ(run({"nodes", "--views"}, documented(other)), 1);
  EXPECT_EQ(out, "2 nodes, which do not see the same:\n  b did not answer (it sleeps)\n");
}

TEST_F(VerbsTest, DocumentsAreShownAsTheyAre) {
  const json status = {{"node", "a"}, {"ready", false}};
  EXPECT_EQ(run({"status", "--json"}, documented(status)), 0);
  EXPECT_EQ(document(), status);
  EXPECT_EQ(asked.verb, "status");
  EXPECT_FALSE(asked.service);
  EXPECT_EQ(run({"rescan", "--json"}, documented({{"plugins", json::array()}})), 0);
  EXPECT_EQ(out, "{\"plugins\":[]}\n");
  EXPECT_EQ(run({"plugins"}, documented({{"plugins", json::array()}})), 0);
  EXPECT_EQ(out, "no plugins\n");
}

TEST_F(VerbsTest, AnOrderNamesItsPluginAndAFileItsWholePath) {
  EXPECT_EQ(run({"unload", "greeter"}, documented({{"plugins", json::array()}})), 0);
  EXPECT_EQ(asked.plugin, "greeter");
  EXPECT_EQ(run({"load", "some/../greeter.so"}, documented({{"plugins", json::array()}})), 0);
  EXPECT_EQ(asked.plugin, std::filesystem::current_path() / "greeter.so");
}

TEST_F(VerbsTest, CallsThatGoOnAreATable) {
  const json call = {{"service", "slow"},   {"node", "a"},       {"state", "running"},
                     {"age_ms", 1200},      {"left_ms", 3800},   {"caller", "local"},
                     {"caller_gone", true}, {"message_id", "m"}, {"correlation_id", "c"}};
  EXPECT_EQ(run({"calls"}, documented({{"calls", {call}}})), 0);
  EXPECT_THAT(out, HasSubstr("slow     a     running  1200 ms  caller gone  local   m        c"));
  EXPECT_EQ(run({"calls"}, documented({{"calls", json::array()}})), 0);
  EXPECT_EQ(out, "no calls\n");
}

TEST_F(VerbsTest, ATrailIsAskedForByItsCorrelationAndSaysThatShortCallsAreNotInIt) {
  const json hop = {{"service", "outer"},    {"node", "b"},      {"message_id", "m"},      {"depth", 0},
                    {"state", "ended"},      {"outcome", "ok"},  {"duration_us", 900'000}, {"queued_us", 100},
                    {"running_us", 899'000}, {"own_us", 899'000}};
  const json longest = {
      {"service", "outer"}, {"node", "b"}, {"message_id", "m"}, {"part", "running"}, {"duration_us", 899'000}};
  EXPECT_EQ(run({"trail", "c"}, documented({{"hops", {hop}}, {"longest", longest}, {"unreachable", json::object()}})),
            0);
  EXPECT_EQ(asked.verb, wire::admin_verb::kTrail);
  EXPECT_EQ(asked.correlation_id, "c");
  EXPECT_THAT(out, HasSubstr("outer  b     900.000"));
  EXPECT_THAT(out,
              HasSubstr("outer on b ran for 899.000 ms itself, or in calls below that took less than a sixteenth"));
  EXPECT_EQ(run({"trail", "c"}, documented({{"hops", json::array()}, {"unreachable", json::object()}})), 0);
  EXPECT_THAT(out, HasSubstr("no host has kept anything of it"));
}

TEST_F(VerbsTest, ARescanSaysWhatItHasDone) {
  const json row = {{"file", "g.so"}, {"name", "greeter"}, {"version", "1.0.0"}, {"state", "serving"}};
  answers["plugins"] = documented({{"plugins", json::array()}});
  EXPECT_EQ(run({"rescan"}, documented({{"plugins", {row}}})), 0);
  EXPECT_THAT(out, StartsWith("loaded    greeter 1.0.0\n\nPLUGIN "));
  EXPECT_EQ(asked.verb, "rescan");
  answers["plugins"] = documented({{"plugins", {row}}});
  EXPECT_EQ(run({"rescan"}, documented({{"plugins", {row}}})), 0);
  EXPECT_THAT(out, StartsWith("nothing has changed\n\nPLUGIN "));
}

TEST_F(VerbsTest, PeopleAreToldWhichServiceTheyProbablyMeant) {
  answers["services"] = documented({{"services", {{{"name", "wave"}}, {{"name", "greet"}}}}});
  const auto unavailable = replied(Response::service_unavailable("gret"));
  for (const char* verb : {"call", "validate", "authorized"}) {
    EXPECT_EQ(run({verb, "gret"}, unavailable), 3) << verb;
    EXPECT_THAT(out, StartsWith("service unavailable: nobody offers \"gret\"\n")) << verb;
    EXPECT_EQ(err, "hint: did you mean \"greet\"?\n") << verb;
  }
  refused = {"describe", Failure(ExitStatus::service_unavailable, "service_unavailable", "nobody provides it")};
  EXPECT_EQ(failure_of([&] { run({"describe", "gret"}, {}); }).hint(), "did you mean \"greet\"?");
  EXPECT_EQ(failure_of([&] { run({"describe", "gret"}, {}); }).status(), ExitStatus::service_unavailable);
  EXPECT_EQ(failure_of([&] { run({"describe", "gret", "--json"}, {}); }).hint(), "");
  EXPECT_EQ(run({"discover", "gret"}, documented({{"providers", json::array()}})), 3);
  EXPECT_EQ(err, "hint: did you mean \"greet\"?\n");
  EXPECT_EQ(run({"call", "gret", "--json"}, unavailable), 3);
  EXPECT_EQ(err, "");
  EXPECT_EQ(asked.verb, "call") << "a program is told as ever, and nothing more is asked for it";
  EXPECT_EQ(run({"call", "elephant"}, replied(Response::service_unavailable("elephant"))), 3);
  EXPECT_EQ(err, "");
}

TEST_F(VerbsTest, AnAnswerWithNothingInItIsAFailure) {
  EXPECT_EQ(failure_of([&] { run({"status"}, {}); }).status(), ExitStatus::error);
}

TEST(Report, TellsPeopleOnStandardErrorAndProgramsOnStandardOutput) {
  std::istringstream in;
  std::ostringstream out, err;
  const Streams streams{in, out, err};
  const Failure failure(ExitStatus::no_host, "no_host", "nobody answers");
  EXPECT_EQ(report(failure, false, streams), ExitStatus::no_host);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(err.str(), "busbar: nobody answers\n");
  EXPECT_EQ(report(failure, true, streams), ExitStatus::no_host);
  EXPECT_EQ(out.str(), R"({"error":{"code":"no_host","text":"nobody answers"}})"
                       "\n");
}

}  // namespace
}  // namespace busbar::cli
