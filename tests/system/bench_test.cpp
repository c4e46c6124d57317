// `busbar bench`: what it measures of real services, and of hosts that fail.
#include <signal.h>

#include <set>
#include <thread>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;

class Bench : public SystemTest {
 protected:
  void SetUp() override {
    host.add("behaviours");
    host.start();
  }
  static std::vector<std::string> bench(const std::string& service, std::vector<std::string> more) {
    more.insert(more.begin(), {"bench", service});
    return more;
  }
  Answer measure(const std::string& service, std::vector<std::string> more) {
    Answer answer = host.ask(bench(service, std::move(more)));
    if (!answer.json.is_object()) ADD_FAILURE() << answer.out << answer.err;
    return answer;
  }
  Process start(const std::string& service, std::vector<std::string> more) {
    more.insert(more.begin(), {"--json", "bench", service});
    return host.start_busbar(std::move(more));
  }
  bool has_served(std::uint64_t calls) {
    return eventually([&] { return host.plugin("behaviours.so").value("calls_served", std::uint64_t{0}) >= calls; });
  }
  std::string address() { return host.ask({"status"}).json["cluster"]["address"]; }
};

TEST_F(Bench, ShowsHowLongAServiceTakes) {
  const Answer answer = measure("sleeps", {R"({"ms":20})", "--callers", "4", "--duration", "300ms", "--warm-up", "0s"});
  const Json& found = answer.json;
  EXPECT_EQ(answer.status, 0) << answer.out;
  EXPECT_EQ(found["ended"], "duration");
  EXPECT_EQ(found["latency_from"], "sent");
  EXPECT_GE(found["latency"]["min_us"], 20'000);
  EXPECT_GT(found["calls"], 4) << "callers call again";
  EXPECT_EQ(found["outcomes"]["ok"], found["calls"]);
  EXPECT_LE(found["rate_reached_per_s"], 4 * 50 * 1.2);
}

TEST_F(Bench, OfMoreCallersThanOneConnectionTakesHasAllUnderWay) {
  const Answer answer =
      measure("sleeps", {R"({"ms":200})", "--callers", "150", "--duration", "100ms", "--warm-up", "0s"});
  EXPECT_EQ(answer.status, 0) << answer.out;
  EXPECT_EQ(answer.json["calls"], 150) << "none waits for another";
}

TEST_F(Bench, CallsAtItsRate) {
  const Answer answer =
      measure("answers_kind", {R"({"key":"ok"})", "--rate", "200/s", "--duration", "500ms", "--warm-up", "100ms"});
  EXPECT_EQ(answer.status, 0) << answer.out;
  EXPECT_EQ(answer.json["calls"], 100);
  EXPECT_EQ(answer.json["latency_from"], "due");
  EXPECT_EQ(answer.json["rate_asked_per_s"], 200);
}

// One caller: only one call is under way while the host stands still, so that of 300 calls a single one is slow if each
// counts from when it was sent. Counted from when they were due, about 60 are.
TEST_F(Bench, ChargesAHostThatStandsStillWithAllCallsThatWereDueMeanwhile) {
  Process bench = start("answers_kind", {R"({"key":"ok"})", "--rate", "200/s", "--callers", "1", "--duration", "1500ms",
                                         "--warm-up", "0s"});
  ASSERT_TRUE(has_served(20));
  host.process().freeze();
  std::this_thread::sleep_for(milliseconds(300));  // the fault itself
  host.process().signal(SIGCONT);
  const auto ended = bench.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->out << ended->err;
  const Json found = Json::parse(ended->out);
  EXPECT_EQ(found["calls"], 300);
  EXPECT_GE(found["latency"]["p99_us"], 200'000) << ended->out;
}

TEST_F(Bench, SaysThatARateIsNotReached) {
  const std::vector<std::string> more = {R"({"ms":20})", "--rate", "1000/s",    "--callers", "1",
                                         "--duration",   "300ms",  "--warm-up", "0s"};
  const Answer answer = measure("sleeps", more);
  EXPECT_LE(answer.json["rate_reached_per_s"], 60);
  EXPECT_EQ(answer.json["calls"], 300) << "those that were due and never sent count, too";
  EXPECT_GT(answer.json["outcomes"]["unsent"], 200);
  EXPECT_EQ(answer.status, 0) << "none has failed";
  EXPECT_THAT(host.busbar(bench("sleeps", more)).out, AllOf(HasSubstr("reached "), HasSubstr(" of 1,000/s")));
}

TEST_F(Bench, CountsFailures) {
  const Answer failed = measure("answers_kind", {R"({"key":"error"})", "--duration", "50ms", "--warm-up", "0s"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_GT(failed.json["calls"], 0);
  EXPECT_EQ(failed.json["outcomes"]["error"], failed.json["calls"]);
  EXPECT_EQ(failed.json["errors"]["out_of_tea"], failed.json["calls"]);
  const Answer late = measure("sleeps", {R"({"ms":300})", "--timeout", "30", "--duration", "20ms", "--warm-up", "0s"});
  EXPECT_EQ(late.status, 1);
  EXPECT_EQ(late.json["outcomes"]["service_timeout"], late.json["calls"]);
  EXPECT_GE(late.json["latency"]["min_us"], 30'000);
  EXPECT_EQ(late.json["ok_latency"], Json());
}

TEST_F(Bench, WithoutItsServiceMeasuresNothing) {
  EXPECT_EQ(host.busbar(bench("absent", {})).status, 3);
  EXPECT_THAT(host.busbar(bench("sleep", {})).err, HasSubstr("did you mean \"sleeps\"?"));
  EXPECT_EQ(host.busbar(bench("sleeps", {"--rate", "fast"})).status, 2);
  EXPECT_EQ(host.busbar(bench("sleeps", {"{"})).status, 2);
  host.stop();
  EXPECT_EQ(host.busbar(bench("sleeps", {})).status, 7);
}

TEST_F(Bench, InterruptedTellsWhatItHasMeasured) {
  Process bench = start("answers_kind", {R"({"key":"ok"})", "--duration", "1h", "--warm-up", "0s"});
  ASSERT_TRUE(has_served(5));
  bench.signal(SIGINT);
  const auto ended = bench.wait();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 0) << ended->out << ended->err;
  const Json found = Json::parse(ended->out);
  EXPECT_EQ(found["ended"], "interrupted");
  EXPECT_GT(found["calls"], 0);
  EXPECT_LT(found["duration_us"], 3'600'000'000);
}

TEST_F(Bench, OfAHostThatDiesTellsWhatItHasMeasured) {
  for (const bool connects : {false, true}) {
    std::vector<std::string> more = {R"({"key":"ok"})", "--duration", "1h", "--warm-up", "0s"};
    if (connects) host.start();
    std::vector<std::string> arguments = {"--json", "bench", "answers_kind"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Command command;
    command.arguments = {tested::busbar()};
    command.arguments.insert(command.arguments.end(),
                             {connects ? "--connect" : "--run-dir", connects ? address() : host.run_dir().native()});
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.scratch = host.root() / "said";
    Process bench(command);
    ASSERT_TRUE(has_served(5));
    host.kill();
    const auto ended = bench.wait();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->status, 7) << ended->out << ended->err;
    const Json found = Json::parse(ended->out);
    EXPECT_EQ(found["ended"], "broken_off");
    EXPECT_THAT(found["reason"], HasSubstr("went away"));
    EXPECT_GT(found["outcomes"]["ok"], 0);
  }
}

TEST_F(Bench, HasManyCallsUnderWayOnOneConnection) {
  Command command;
  command.arguments = {tested::busbar(), "--connect", address(),    "--json", "bench",     "sleeps", R"({"ms":200})",
                       "--callers",      "100",       "--duration", "100ms",  "--warm-up", "0s"};
  command.scratch = host.root() / "said";
  const Ended ended = run(command);
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  const Json found = Json::parse(ended.out);
  EXPECT_EQ(found["calls"], 100) << ended.out;
  EXPECT_EQ(found["outcomes"]["ok"], 100);
}

TEST_F(Bench, ShowsPeopleHowItGoes) {
  const Ended ended = host.busbar(bench(
      "answers_kind", {R"({"key":"ok"})", "--rate", "100/s", "--duration", "1200ms", "--warm-up", "0s", "--progress"}));
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("1 s of 1.2 s"), HasSubstr("p99"), HasSubstr("failures 0")));
  EXPECT_THAT(ended.out, AllOf(HasSubstr("answers_kind: 120 calls"), HasSubstr("p99.9"), HasSubstr("##")));
  EXPECT_THAT(ended.out, testing::Not(HasSubstr("\033")));
}

TEST_F(Bench, HasADocumentWithTheseKeys) {
  const auto keys_of = [](const Json& object) {
    std::set<std::string> out;
    for (const auto& [key, value] : object.items()) out.insert(key);
    return out;
  };
  using Keys = std::set<std::string>;
  const Json found = measure("answers_kind", {R"({"key":"ok"})", "--duration", "20ms", "--warm-up", "0s"}).json;
  EXPECT_EQ(keys_of(found),
            (Keys{"service", "node", "callers", "rate_asked_per_s", "rate_reached_per_s", "warm_up_us", "duration_us",
                  "ended", "calls", "outcomes", "errors", "latency_from", "latency", "ok_latency", "histogram"}));
  EXPECT_EQ(keys_of(found["outcomes"]), (Keys{"ok", "created", "service_unavailable", "service_timeout",
                                              "validation_error", "missing_id", "error", "no_answer", "unsent"}));
  EXPECT_EQ(keys_of(found["latency"]), (Keys{"min_us", "mean_us", "p50_us", "p90_us", "p99_us", "p999_us", "max_us"}));
  EXPECT_EQ(keys_of(found["histogram"][0]), (Keys{"le_us", "count"}));
}

}  // namespace
}  // namespace busbar::system_tests
