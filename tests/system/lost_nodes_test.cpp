// A provider that is killed, or frozen, while many calls are under way at it: from a program that is a member itself.
#include <signal.h>

#include "system/support/callers.hpp"
#include "system/support/patient.hpp"

namespace busbar::system_tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr auto npos = std::string::npos;
constexpr int kCount = 64;
constexpr seconds kUsualBudget{5};  // what a call has that says nothing (C-D5)
// Before this has passed, the end of a connection is told, however busy the machine. Speed is measured in bench/.
constexpr seconds kSlack{15};

constexpr seconds kSoonLost{2};

/// A service of "behaviours" that does not answer before it is told to, called by the host that has it: how long a
/// budget lasts that nothing but its own host has to do with. What is as quick on this machine is quick enough.
class LocalCall {
 public:
  LocalCall(const TestHost& host, milliseconds budget)
      : host_(host),
        process_(host.start_busbar(
            {"--json", "call", "waits_for", R"({"key":"the end"})", "--timeout", std::to_string(budget.count())})) {}
  /// Waits for its end.
  milliseconds took() {
    const auto ended = process_.wait();
    EXPECT_TRUE(ended);
    const Json json = Json::parse(ended ? ended->out : "{}", nullptr, false);
    EXPECT_EQ(json.value("response", ""), "service_timeout") << json;
    EXPECT_EQ(host_.call("opens", {{"key", "the end"}}).status, 0);
    return std::chrono::duration_cast<milliseconds>(std::chrono::microseconds(json.value("duration_us", 0)));
  }

 private:
  const TestHost& host_;
  Process process_;
};
/// By how much a budget that ends elsewhere may last longer.
constexpr seconds kTolerance{1};

class LostNodes : public ClusterTest, public testing::WithParamInterface<Form> {
 protected:
  void start_providers(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      cluster.make(name).add("placed");
      if (patient) cluster[name].configure(kPatient);
      cluster.start(name);
    }
    node = join(cluster, patient ? milliseconds(kNeverLost) : milliseconds(kSoonLost));
    ASSERT_TRUE(eventually([&] { return providers(*node, "holds") == names; }));
  }
  /// A host that is not frozen, for a `LocalCall`.
  const TestHost& start_awake() { return cluster.add("awake", {"behaviours"}); }
  static bool all_run_at(const TestHost& host) {
    return eventually([&] { return host.plugin("placed.so")["calls_running"] == kCount; });
  }
  /// Ends the node, after which nothing can be answered any more; what was seen until then.
  std::vector<Seen> all_that_was_seen(const Calls& calls) {
    node->stop();
    EXPECT_TRUE(calls.wait()) << "who waits on a thread of its own returns a moment later";
    return calls.seen();
  }

  bool patient = false;
  std::unique_ptr<Node> node;
};

INSTANTIATE_TEST_SUITE_P(Of64, LostNodes, testing::Values(Form::blocking, Form::asynchronous), name_of);

TEST_P(LostNodes, C_D9_C_G4_C_G6_AKilledOneAnswersEachOfItsCallsOnceAndIsOfferedNoMore) {
  patient = true;  // so that nothing but the broken connection tells of its end
  start_providers({"a"});
  const Calls calls(*node, GetParam(), {kCount, "holds"});
  ASSERT_TRUE(all_run_at(cluster["a"]));
  EXPECT_EQ(calls.answered(), 0);
  const auto killed = std::chrono::steady_clock::now();
  cluster.kill("a");
  ASSERT_TRUE(calls.wait());
  EXPECT_LT(std::chrono::steady_clock::now() - killed, kSlack) << "not by waiting for the budget";
  EXPECT_TRUE(eventually([&] { return providers(*node, "holds").empty(); }, kSlack));
  EXPECT_EQ(node->dispatch(message_of("holds")).response().kind(), Response::Kind::service_unavailable);
  EXPECT_TRUE(eventually([&] { return node->nodes().size() == 1; }));
  for (const Seen& seen : all_that_was_seen(calls)) {
    EXPECT_TRUE(seen.response.is_bad_rpc(badrpc::kNodedown)) << seen.response.text();
    EXPECT_EQ(seen.answers, 1);
    EXPECT_LT(seen.after, kLimit);
  }
}

TEST_P(LostNodes, C_D5_AFrozenOneLetsItsCallsEndWithTheirBudgetsAndIsBackWhenItWakes) {
  patient = true;
  start_providers({"a"});
  const TestHost& awake = start_awake();
  const milliseconds budget = kUsualBudget + seconds(1);  // neither the usual one nor the other's
  const Calls longer(*node, GetParam(), {1, "holds", 3 * budget});
  const Calls calls(*node, GetParam(), {kCount - 1, "holds", budget});
  ASSERT_TRUE(all_run_at(cluster["a"]));
  milliseconds local_took{0};
  {
    const Frozen frozen(cluster["a"]);
    LocalCall local(awake, budget);
    ASSERT_TRUE(calls.wait());
    EXPECT_EQ(longer.answered(), 0) << "none waits for a longer budget than its own";
    ASSERT_TRUE(longer.wait());
    local_took = local.took();
  }
  EXPECT_GE(longer.seen().front().after, 3 * budget - milliseconds(20)) << "nor is answered before its own";
  for (const Seen& seen : calls.seen()) {
    EXPECT_EQ(seen.response.kind(), Response::Kind::service_timeout) << seen.response.text();
    EXPECT_EQ(seen.response.timeout_ms(), budget.count());
    EXPECT_GE(seen.after, budget - milliseconds(20));
    EXPECT_LT(seen.after, local_took + kTolerance);
  }
  EXPECT_EQ(call_at(*node, "a", "where").value_as<pid_t>(), cluster["a"].process().pid()) << "without a restart";
  EXPECT_TRUE(eventually([&] { return cluster["a"].plugin("placed.so")["calls_running"] == 0; }));
  for (const Seen& seen : all_that_was_seen(calls)) EXPECT_EQ(seen.answers, 1) << "late answers are discarded (C-D6)";
}

TEST_P(LostNodes, C_D5_AFrozenOneWithABudgetOfOneSecondIsAnsweredInOneSecond) {
  patient = true;
  start_providers({"a"});
  const TestHost& awake = start_awake();
  {
    const Frozen frozen(cluster["a"]);
    LocalCall local(awake, seconds(1));
    const Calls calls(*node, GetParam(), {kCount, "where", seconds(1)});
    ASSERT_TRUE(calls.wait());
    const milliseconds local_took = local.took();
    for (const Seen& seen : calls.seen()) {
      EXPECT_EQ(seen.response.kind(), Response::Kind::service_timeout) << seen.response.text();
      EXPECT_EQ(seen.response.timeout_ms(), 1000u);
      EXPECT_GE(seen.after, milliseconds(980));
      EXPECT_LT(seen.after, local_took + kTolerance);
    }
  }
  EXPECT_EQ(call_at(*node, "a", "where").value_as<pid_t>(), cluster["a"].process().pid()) << "without a restart";
}

TEST_P(LostNodes, C_D9_AFrozenOneIsGivenUpByTheFailureDetectorAndIsBackWhenItWakes) {
  start_providers({"a", "b"});
  const Calls calls(*node, GetParam(), {kCount, "holds", kLimit});
  ASSERT_TRUE(eventually([&] {
    const auto running = [&](const char* name) {
      return cluster[name].plugin("placed.so")["calls_running"].get<int>();
    };
    return running("a") + running("b") == kCount;
  }));
  const int at_a = cluster["a"].plugin("placed.so")["calls_running"];
  Frozen frozen(cluster["a"]);
  ASSERT_TRUE(eventually([&] { return calls.answered() == at_a; }));
  EXPECT_TRUE(eventually([&] { return providers(*node, "holds") == std::vector<std::string>{"b"}; }));
  for (const Seen& seen : calls.seen()) {
    if (seen.answers == 0) continue;  // it runs at the other
    EXPECT_TRUE(seen.response.is_bad_rpc(badrpc::kNodedown)) << seen.response.text();
    EXPECT_LT(seen.after, kLimit);
  }
  EXPECT_EQ(node->dispatch(message_of("where")).response().value_as<pid_t>(), cluster["b"].process().pid());
  frozen.wake();
  EXPECT_TRUE(eventually([&] { return providers(*node, "holds").size() == 2; })) << "back without a restart";
  EXPECT_EQ(call_at(*node, "a", "where").value_as<pid_t>(), cluster["a"].process().pid());
  for (const Seen& seen : all_that_was_seen(calls)) EXPECT_EQ(seen.answers, 1);
}

TEST_P(LostNodes, C_G4_AFrozenOneIsSuspectFirstAndItsCallsAreNotCutForThat) {
  start_providers({"a", "b"});
  const auto observer = join(cluster, seconds(8), "observer");  // suspects after half of that
  ASSERT_TRUE(eventually([&] { return providers(*observer, "holds").size() == 2; }));
  const auto state_of_a = [&] {
    for (const auto& row : observer->nodes()) {
      if (row.name == "a") return row.state;
    }
    return registry::NodeState::self;
  };
  const auto until = cluster["a"].root() / "until";
  const Calls calls(*observer, GetParam(), {kCount, "runs_at", kLimit, {{"node", "a"}, {"until", until.string()}}});
  ASSERT_TRUE(all_run_at(cluster["a"]));
  Frozen frozen(cluster["a"]);
  ASSERT_TRUE(eventually([&] { return state_of_a() == registry::NodeState::suspect; }));
  EXPECT_EQ(providers(*observer, "where").size(), 2u) << "it is offered all the same";
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(observer->dispatch(message_of("where")).response().value_as<pid_t>(), cluster["b"].process().pid());
  }
  EXPECT_EQ(calls.answered(), 0);
  write_file(until, "now");
  frozen.wake();
  ASSERT_TRUE(calls.wait());
  for (const Seen& seen : calls.seen()) EXPECT_TRUE(seen.response.succeeded()) << seen.response.text();
  EXPECT_TRUE(eventually([&] { return state_of_a() == registry::NodeState::up; }));
}

TEST_P(LostNodes, C_D9_AFrozenOneIsGivenUpInEachNodesOwnTime) {
  start_providers({"a"});
  const auto patient_one = join(cluster, kNeverLost, "patient");
  ASSERT_TRUE(eventually([&] { return providers(*patient_one, "holds") == std::vector<std::string>{"a"}; }));
  constexpr int kEach = kCount / 2;
  const Calls calls(*node, GetParam(), {kEach, "holds", 2 * kLimit});
  const Calls waiting(*patient_one, GetParam(), {kEach, "holds", 2 * kLimit});
  ASSERT_TRUE(all_run_at(cluster["a"]));
  {
    const Frozen frozen(cluster["a"]);
    ASSERT_TRUE(calls.wait());
    // The other one hears as little, and for as long again.
    const Response unheard = call_at(*patient_one, "a", "where", Json::object(), 2 * kSoonLost);
    EXPECT_EQ(unheard.kind(), Response::Kind::service_timeout) << unheard.text();
    EXPECT_EQ(waiting.answered(), 0);
    EXPECT_EQ(providers(*patient_one, "holds"), std::vector<std::string>{"a"});
  }
  ASSERT_EQ(cluster["a"].call("let_go").status, 0);
  ASSERT_TRUE(waiting.wait());
  for (const Seen& seen : calls.seen())
    EXPECT_TRUE(seen.response.is_bad_rpc(badrpc::kNodedown)) << seen.response.text();
  for (const Seen& seen : waiting.seen()) EXPECT_TRUE(seen.response.succeeded()) << seen.response.text();
}

class Leaving : public LostNodes {
 protected:
  /// Stops the node that has all of these under way, and lets them go when it has begun to stop: each is answered.
  void stops_and_answers(const std::string& name) {
    const auto until = cluster[name].root() / "until";
    const Calls calls(*node, GetParam(), {kCount, "runs_at", kLimit, {{"node", name}, {"until", until.string()}}});
    ASSERT_TRUE(all_run_at(cluster[name]));
    const pid_t pid = cluster[name].process().pid();
    cluster[name].process().signal(SIGTERM);
    ASSERT_TRUE(eventually([&] { return cluster[name].log().find("stopping") != std::string::npos; }));
    write_file(until, "now");
    cluster[name].finish();
    ASSERT_TRUE(calls.wait());
    for (const Seen& seen : all_that_was_seen(calls)) {
      ASSERT_TRUE(seen.response.succeeded()) << seen.response.text();
      EXPECT_EQ(seen.response.value_as<pid_t>(), pid);
      EXPECT_EQ(seen.answers, 1);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Of64, Leaving, testing::Values(Form::blocking, Form::asynchronous), name_of);

TEST_P(Leaving, C_D18_OneThatStopsInOrderAnswersAllThatItHasUnderWay) {
  start_providers({"a"});
  stops_and_answers("a");
}

TEST_P(Leaving, C_R6_C_D18_OneThatStopsInOrderAnswersWhatWasForwardedToIt) {
  start_providers({"a", "b"});
  stops_and_answers("b");  // half of them, or so, come through a
}

class LostUnderLoad : public LostNodes {};

INSTANTIATE_TEST_SUITE_P(Of64, LostUnderLoad, testing::Values(Form::blocking), name_of);

TEST_P(LostUnderLoad, C_D9_AKilledOneFailsOnlyWhatItHadAndTheOthersServeOn) {
  start_providers({"a", "b"});
  const SteadyCallers callers(*node, kCount, "where", kLimit);
  ASSERT_TRUE(callers.wait_for_more(1'000));
  cluster.kill("a");
  ASSERT_TRUE(callers.wait_for_more(1'000));
  EXPECT_TRUE(eventually([&] { return providers(*node, "where") == std::vector<std::string>({"b"}); }));
  const auto tally = callers.tally();
  EXPECT_LE(tally.failures.size(), std::size_t{kCount}) << "at most what was under way";
  for (const Response& failure : tally.failures) EXPECT_TRUE(failure.is_bad_rpc(badrpc::kNodedown)) << failure.text();
  EXPECT_LT(tally.longest, kLimit);
}

/// How many calls of "where" have been handled there, by what the host said when it stopped.
std::uint64_t handled(const std::string& said) {
  constexpr std::string_view kBefore = "where: handled ";
  const auto found = said.find(kBefore);
  if (found == std::string::npos) throw std::runtime_error("it does not say how many: " + said);
  return std::stoull(said.substr(found + kBefore.size()));
}

TEST_P(LostUnderLoad, C_D18_OneThatStopsInOrderLosesNoCallAndNoneOfItsAnswers) {
  start_providers({"a", "b"});
  const SteadyCallers callers(*node, kCount, "where", kLimit);
  ASSERT_TRUE(callers.wait_for_more(1'000));
  const pid_t a = cluster["a"].process().pid();
  const Ended ended = cluster["a"].stop();
  ASSERT_TRUE(callers.wait_for_more(1'000));
  EXPECT_THAT(providers(*node, "where"), ElementsAre("b"));
  auto tally = callers.tally();
  EXPECT_EQ(tally.successes[a], handled(ended.err));
  for (const Response& failure : tally.failures) ADD_FAILURE() << failure.error_code() << ": " << failure.text();
}

class FrozenForACommand : public ClusterTest {};

TEST_F(FrozenForACommand, C_D5_WithABudgetOfOneSecondItIsAnsweredInOneSecond) {
  cluster.make("a").configure(kPatient);
  cluster["a"].add("placed");
  cluster.start("a");
  cluster.make("b").configure(kPatient);
  cluster["b"].add("behaviours");
  cluster.start("b");
  ASSERT_TRUE(cluster.wait_until_offered("where", {"a"}));
  const Frozen frozen(cluster["a"]);
  LocalCall local(cluster["b"], seconds(1));
  const Answer answer = cluster["b"].call("where", Json::object(), {"--timeout", "1000"});
  EXPECT_EQ(answer.status, 4) << answer.out;
  EXPECT_EQ(answer.kind(), "service_timeout");
  EXPECT_EQ(answer.json["timeout_ms"], 1000);
  EXPECT_GE(answer.json["duration_us"], 980'000);
  EXPECT_LT(answer.json["duration_us"], (local.took() + kTolerance) / std::chrono::microseconds(1));
}

class FrozenHost : public ClusterTest {};

TEST_F(FrozenHost, C_G4_IsSuspectFirstAndThenLostForItsSilenceAlsoWhereLittleTimeIsBetween) {
  // It only answers: whoever has said something by itself just before, and answered a while ago, is lost for that.
  cluster.make("a").configure("[registry]\nheartbeat = \"10s\"\nlost_after = \"1m\"\n");
  cluster.start("a");
  cluster.make("b").configure("[registry]\nheartbeat = \"400ms\"\nlost_after = \"800ms\"\n");
  cluster.start("b");
  ASSERT_TRUE(cluster.wait_until_whole());
  const Frozen frozen(cluster["a"]);
  ASSERT_TRUE(eventually([&] { return cluster["b"].log().find("nothing was heard of it for 800 ms") != npos; }))
      << cluster["b"].log();
  const std::string log = cluster["b"].log();
  EXPECT_LT(log.find("it is suspect"), log.find("nothing was heard of it for 800 ms")) << log;
}

}  // namespace
}  // namespace busbar::system_tests
