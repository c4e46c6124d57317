// The client in Python of examples/python, which was written from docs/protocol.md alone: another language needs ZeroMQ
// and CBOR, and nothing of ours.
#include <sstream>

#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;

class PythonClient : public ClusterTest {
 protected:
  void SetUp() override {
    Command imports = python({"-c", "import zmq, cbor2"});
    imports.scratch = host_for_files_.root() / "said";
    const Ended ended = run(imports);
    if (ended.status != 0) {
      GTEST_SKIP() << "there is no /usr/bin/python3 with zmq and cbor2 (python3-zmq, python3-cbor2): " << ended.err;
    }
  }

  /// "behaviours" at a, whose call address clients know; "greeter" and "echo" at b, which is reached through a.
  void start_two() {
    cluster.add("a", {"behaviours"});
    cluster.add("b", {"greeter", "echo"});
    ASSERT_TRUE(cluster.wait_until_whole());
    ASSERT_TRUE(cluster.wait_until_offered("greet", {"b"}));
    entry_ = cluster_status(cluster["a"], "address");
  }
  void start_one() {
    cluster.add("a", {"behaviours"});
    entry_ = cluster_status(cluster["a"], "address");
  }

  Command python(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "/usr/bin/python3");
    Command command;
    command.arguments = std::move(arguments);
    command.variables = {{"PYTHONPATH", BUSBAR_PYTHON_CLIENT}, {"PYTHONDONTWRITEBYTECODE", "1"}};
    command.scratch = host_for_files_.root() / "said";
    return command;
  }
  /// call.py ADDRESS ARGUMENTS
  Command command_of(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {std::string(BUSBAR_PYTHON_CLIENT) + "/call.py", entry_});
    return python(std::move(arguments));
  }
  /// What call.py answers with one document.
  Answer ask(std::vector<std::string> arguments) const {
    const Ended ended = run(command_of(std::move(arguments)));
    return {ended.status, Json::parse(ended.out, nullptr, false), ended.out, ended.err};
  }
  Answer answer_of_kind(const std::string& kind) const { return ask({"answers_kind", Json{{"key", kind}}.dump()}); }
  /// A script that has the address as its argument.
  Ended script(const std::string& text) const { return run(python({"-c", text, entry_})); }

  /// call.py in the middle of a call that takes longer than any test.
  Process start_long_call() const {
    Process caller(command_of({"sleeps", R"({"ms":600000})", "--timeout", "600000"}));
    EXPECT_TRUE(eventually([&] { return cluster["a"].plugin("behaviours.so")["calls_running"] == 1; }));
    return caller;
  }
  static void expect_lost(Process& caller) {
    const auto ended = caller.wait();
    ASSERT_TRUE(ended) << "it waits for an answer that cannot come";
    EXPECT_EQ(ended->status, 7) << ended->out << ended->err;
    const Json said = Json::parse(ended->out, nullptr, false);
    EXPECT_EQ(said["error"]["code"], "connection") << ended->out;
    EXPECT_THAT(said["error"]["text"].get<std::string>(), HasSubstr("has ended"));
    EXPECT_EQ(ended->err, "") << "no stack of calls, but words";
  }

  TestHost host_for_files_;  // never started: its directory is there before a host is
  std::string entry_;
};

TEST_F(PythonClient, DiscoversAndCallsWhatTheEntryNodeAndOthersHave) {
  start_two();
  EXPECT_EQ(ask({"greet", "--discover"}).json, Json({{"providers", {{{"node", "b"}, {"router", "greeter"}}}}}));
  EXPECT_EQ(ask({"sleeps", "--discover"}).json["providers"][0]["node"], "local");
  EXPECT_EQ(ask({"absent", "--discover"}).status, 3);

  const Answer greeting = ask({"greet", R"({"name":"Ada"})"});
  EXPECT_EQ(greeting.status, 0) << greeting.out << greeting.err;
  EXPECT_EQ(greeting.json, Json({{"response", "ok"}, {"node", "b"}, {"value", {{"text", "Hello, Ada!"}}}}));
  EXPECT_EQ(ask({"shows_message"}).json["node"], "a");
  EXPECT_EQ(ask({"greet", R"({"name":"Ada"})", "--node", "b"}).status, 0);
  EXPECT_EQ(ask({"greet", R"({"name":"Ada"})", "--node", "nobody"}).json["kind"], "nodedown");
  EXPECT_EQ(ask({"greet", R"({"name":"Ada"})", "--sticky", "Ada"}).json["node"], "b");
  EXPECT_EQ(ask({"greet", R"({"name":"Ada"})", "--strategy", "least_pending"}).json["node"], "b");
}

TEST_F(PythonClient, ReadsEveryKindOfResponse) {
  start_two();
  const Answer invalid = ask({"greet", "{}"});
  EXPECT_EQ(invalid.status, 5) << invalid.out << invalid.err;
  EXPECT_EQ(invalid.kind(), "validation_error");
  EXPECT_EQ(invalid.json["details"], Json::parse(R"([{"path":"name","expected":"text","found":"nothing"}])"));
  EXPECT_EQ(answer_of_kind("validation_error").json["details"][0]["path"], "owner.name");

  const Answer late = ask({"sleeps", R"({"ms":500})", "--timeout", "50"});
  EXPECT_EQ(late.status, 4) << late.out << late.err;
  EXPECT_EQ(late.kind(), "service_timeout");
  EXPECT_EQ(late.json["service"], "sleeps");
  EXPECT_EQ(late.json["timeout_ms"], 50);

  const Answer absent = ask({"absent"});
  EXPECT_EQ(absent.status, 3);
  EXPECT_EQ(absent.kind(), "service_unavailable");
  EXPECT_EQ(absent.json["service"], "absent");

  const Answer thrown = ask({"throws"});
  EXPECT_EQ(thrown.status, 1);
  EXPECT_EQ(thrown.json["code"], "badrpc");
  EXPECT_EQ(thrown.json["kind"], "exit");
  EXPECT_EQ(thrown.json["text"], "the kettle has boiled over");
  EXPECT_EQ(ask({"says_nothing"}).json["kind"], "bad_return");
  EXPECT_EQ(answer_of_kind("bad_rpc").status, 4) << "it is a time-out";

  const Answer error = answer_of_kind("error");
  EXPECT_EQ(error.status, 1);
  EXPECT_EQ(error.json["code"], "out_of_tea");
  EXPECT_EQ(error.json["text"], "there is none");
  EXPECT_EQ(error.json["value"], "oolong");
  EXPECT_EQ(answer_of_kind("try_another_node").json["nodes"][0]["reason"], "too hot here");
  EXPECT_EQ(answer_of_kind("forbidden").status, 6);
  EXPECT_EQ(answer_of_kind("missing_id").json["field"], "account");
  EXPECT_EQ(answer_of_kind("missing_id").status, 5);

  const Answer created = answer_of_kind("created_version");
  EXPECT_EQ(created.status, 0);
  EXPECT_EQ(created.kind(), "created");
  EXPECT_EQ(created.json["id"], "id-1");
  EXPECT_EQ(created.json["version"], 9);
  EXPECT_EQ(answer_of_kind("ok").json, Json({{"response", "ok"}, {"node", "a"}})) << "no value is none, and not null";
}

TEST_F(PythonClient, AssignsDryRunsAndQuestionsOfAuthorizationGetThrough) {
  start_one();
  EXPECT_EQ(ask({"needs_assign", "--assign", "user=\"ada\""}).status, 0);
  EXPECT_EQ(ask({"needs_assign"}).status, 6);
  EXPECT_EQ(ask({"needs_assign", "--authorize-only", "--assign", "user=\"ada\""}).json, Json({{"authorized", true}}));
  EXPECT_EQ(ask({"needs_assign", "--authorize-only"}).json, Json({{"authorized", false}}));
  EXPECT_EQ(ask({"absent", "--authorize-only"}).status, 3) << "nobody could say";
  EXPECT_EQ(ask({"shows_message", "--dry-run"}).json["value"]["dry_run"], "yes");
  const Answer verbose = ask({"shows_message", "--dry-run", "--verbose"});
  EXPECT_EQ(verbose.json["value"]["dry_run"], "verbose");
  EXPECT_EQ(verbose.json["events"], Json::parse(R"(["first","second"])"));
  EXPECT_EQ(verbose.json["assigns"]["seen_by"], "behaviours");
  EXPECT_THAT(verbose.json["warning"].get<std::string>(), HasSubstr("dry-run safe"));
}

TEST_F(PythonClient, ManyCallsAreUnderWayAtOnce) {
  start_two();
  // Those that are asked first are answered last.
  std::vector<std::string> arguments = {"sleeps", "--timeout", "60000"};
  for (int i = 0; i < 20; ++i) arguments.push_back(Json{{"ms", 400 - 20 * i}, {"answer", std::to_string(i)}}.dump());
  const Ended ended = run(command_of(std::move(arguments)));
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  std::istringstream lines(ended.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_EQ(Json::parse(line, nullptr, false)["value"], Json(std::to_string(count))) << line;
  }
  EXPECT_EQ(count, 20);

  const Ended many = script(R"(import sys
from busbar_client import Client, Request
with Client(sys.argv[1]) as client:
    bundled = client.start(*[Request("echo", number, timeout=60) for number in range(500)])
    alone = [client.start(Request("echo", number, timeout=60))[0] for number in range(500, 1000)]
    answers = [client.wait(attempt) for attempt in bundled + alone]
    assert [answer.value for answer in answers] == list(range(1000)), answers
    assert {answer.node for answer in answers} == {"b"}
)");
  EXPECT_EQ(many.status, 0) << many.err;
}

TEST_F(PythonClient, CancelsAndAsksTheNode) {
  start_two();
  // A call that is cancelled before it was started is dropped, so it is done until one had been.
  const Ended ended = script(R"(import sys, time
from busbar_client import BusbarError, Client, Request
with Client(sys.argv[1]) as client:
    assert client.node == "a"
    assert {"greet", "sleeps"} <= {row["name"] for row in client.services()}
    assert [(row["name"], row["state"]) for row in client.nodes()] == [("a", "self"), ("b", "up")]
    assert client.describe("greet")["described_by"] == "b"
    try:
        client.query("status")
        raise AssertionError("a verb for the host's own machine")
    except BusbarError as error:
        assert error.code == "forbidden", error
    end = time.monotonic() + 50
    while client.call("late_answers_refused").value == 0:
        assert time.monotonic() < end, "the handler was never told that its caller is gone"
        attempt = client.start(Request("answers_nobody", timeout=60))[0]
        time.sleep(0.1)
        client.cancel(attempt)
)");
  EXPECT_EQ(ended.status, 0) << ended.err;
}

TEST_F(PythonClient, AnotherClustersNameAndAnotherVersionAreRefusedInWords) {
  start_one();
  const Answer refused = ask({"--cluster", "other", "shows_message"});
  EXPECT_EQ(refused.status, 1) << refused.out << refused.err;
  EXPECT_EQ(refused.json["error"]["code"], "cluster");
  EXPECT_THAT(refused.json["error"]["text"].get<std::string>(), HasSubstr("is of cluster 'busbar'"));
  EXPECT_THAT(refused.json["error"]["text"].get<std::string>(), HasSubstr("'other'"));

  const Ended major = script(R"(import sys
import busbar_client
busbar_client.MAJOR = 2
busbar_client.Client(sys.argv[1])
)");
  EXPECT_NE(major.status, 0);
  EXPECT_THAT(major.err, HasSubstr("BusbarError: protocol: "));
  EXPECT_THAT(major.err, HasSubstr("2.2"));
}

TEST_F(PythonClient, WhereNobodyListensItSaysSo) {
  start_one();
  cluster.kill("a");
  const Answer failed = ask({"shows_message"});
  EXPECT_EQ(failed.status, 7) << failed.out << failed.err;
  EXPECT_THAT(failed.json["error"]["text"].get<std::string>(), HasSubstr("nobody listens at " + entry_));
}

TEST_F(PythonClient, ItsCallEndsWhenTheHostIsKilled) {
  start_one();
  Process caller = start_long_call();
  cluster.kill("a");
  expect_lost(caller);
}

TEST_F(PythonClient, ItsCallEndsWhenTheHostIsFrozen) {
  start_one();
  Process caller = start_long_call();
  cluster["a"].process().freeze();
  expect_lost(caller);
  cluster.kill("a");
}

TEST_F(PythonClient, ItIsAnsweredWhatWasTakenWhenTheHostStops) {
  start_one();
  Process caller(command_of({"sleeps", R"({"ms":700,"answer":"rested"})", "--timeout", "60000"}));
  ASSERT_TRUE(eventually([&] { return cluster["a"].plugin("behaviours.so")["calls_running"] == 1; }));
  cluster["a"].stop();
  const auto ended = caller.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->out << ended->err;
  EXPECT_THAT(ended->out, HasSubstr("rested"));
}

TEST_F(PythonClient, WhatNoNodeShouldSayIsToldInWords) {
  const Ended ended = run(python({BUSBAR_HOSTILE_NODE, BUSBAR_PYTHON_CLIENT}));
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("23 welcomes and 22 answers"));
}

}  // namespace
}  // namespace busbar::system_tests
