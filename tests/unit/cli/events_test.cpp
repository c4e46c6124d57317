// `busbar events`, without a host.
#include "cli/events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <sstream>

#include "tests/unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EventsTest : public ::testing::Test {
 protected:
  ExitStatus run() {
    const auto ask = [this](const wire::AdminRequest& request) {
      asked.push_back(request);
      if (pages.empty()) throw Failure(ExitStatus::no_host, failure_code::kNoHost, "went away");
      wire::AdminAnswer answer;
      answer.document = cbor::from_json(pages.front());
      pages.pop_front();
      return answer;
    };
    return run_events(command, ask,
                      [this](bool at_once) {
                        hurried.push_back(at_once);
                        return pauses-- > 0;
                      },
                      {in, out, err, false, false});
  }
  static nlohmann::json page(std::vector<std::string> services, int number, int missed = 0) {
    nlohmann::json events = nlohmann::json::array();
    for (const auto& service : services) {
      events.push_back({{"event", "service_responded"}, {"at", "then"}, {"service", service}, {"duration_us", 1500}});
    }
    return {{"events", events}, {"missed", missed}, {"next", {{"total", number}}}};
  }
  Command command;
  std::deque<nlohmann::json> pages;
  std::vector<wire::AdminRequest> asked;
  std::vector<bool> hurried;  // of each pause: whether it was to be none
  int pauses = 100;
  std::istringstream in;
  std::ostringstream out, err;
};

TEST_F(EventsTest, AreShownOnce) {
  pages = {page({"greet", "other"}, 2)};
  EXPECT_EQ(run(), ExitStatus::ok);
  EXPECT_EQ(out.str(),
            "then  service_responded  greet  1.500 ms\n"
            "then  service_responded  other  1.500 ms\n");
  EXPECT_EQ(asked.at(0).verb, "events");
  EXPECT_FALSE(asked.at(0).after);
}

TEST_F(EventsTest, AreOneDocumentALineInJson) {
  command.json = true;
  pages = {page({"greet", "other"}, 2)};
  EXPECT_EQ(run(), ExitStatus::ok);
  EXPECT_EQ(out.str(),
            "{\"event\":\"service_responded\",\"at\":\"then\",\"service\":\"greet\",\"duration_us\":1500}\n"
            "{\"event\":\"service_responded\",\"at\":\"then\",\"service\":\"other\",\"duration_us\":1500}\n");
}

TEST_F(EventsTest, ShowWhatTheResponseIs) {
  auto answered = page({"greet"}, 1);
  answered["events"][0].update({{"response", "error"}, {"code", "badrpc"}, {"reason", "exit"}});
  pages = {answered, answered};
  EXPECT_EQ(run(), ExitStatus::ok);
  EXPECT_EQ(out.str(), "then  service_responded  greet  1.500 ms  error  badrpc  exit\n");
  out.str("");
  command.json = true;
  EXPECT_EQ(run(), ExitStatus::ok);
  EXPECT_THAT(out.str(), HasSubstr(R"("duration_us":1500,"response":"error","code":"badrpc","reason":"exit"})"));
}

TEST_F(EventsTest, AreAskedForFromWhereTheLastAnswerEnded) {
  command.follow = true;
  pages = {page({"one"}, 1), page({"two"}, 2)};
  const Failure failure = failure_of([&] { run(); });
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_THAT(failure.what(), HasSubstr("the host has stopped"));
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[1].after, cbor::from_json({{"total", 1}}));
  EXPECT_EQ(asked[2].after, cbor::from_json({{"total", 2}}));
  EXPECT_THAT(out.str(), HasSubstr("one"));
  EXPECT_THAT(out.str(), HasSubstr("two"));
}

TEST_F(EventsTest, AreAskedForAtOnceAfterAnAnswerThatWasFull) {
  command.follow = true;
  pages = {page({"one"}, 1), page(std::vector<std::string>(1'000, "many"), 1'001), page({"last"}, 1'002)};
  EXPECT_EQ(failure_of([&] { run(); }).status(), ExitStatus::no_host);
  EXPECT_EQ(hurried, (std::vector<bool>{false, true, false}));
}

TEST_F(EventsTest, EndWhereTheHostIsSeenToHaveGone) {
  command.follow = true;
  pauses = 1;
  pages = {page({"one"}, 1), page({"two"}, 2), page({"three"}, 3)};
  EXPECT_EQ(failure_of([&] { run(); }).status(), ExitStatus::no_host);
  EXPECT_THAT(out.str(), Not(HasSubstr("three")));
}

TEST_F(EventsTest, AFirstAnswerThatDoesNotComeIsNoStop) {
  command.follow = true;
  EXPECT_THAT(failure_of([&] { run(); }).what(), HasSubstr("went away"));
}

TEST_F(EventsTest, SayHowManyWereMissed) {
  pages = {page({"one"}, 1, 17)};
  run();
  EXPECT_THAT(out.str(), HasSubstr("17 events were missed"));
  out.str("");
  command.json = true;
  pages = {page({"one"}, 1, 17)};
  run();
  EXPECT_THAT(out.str(), ::testing::StartsWith("{\"event\":\"missed\",\"count\":17}\n"));
}

TEST_F(EventsTest, AreThoseOfOneServiceOrKind) {
  command.service = "greet";
  pages = {page({"greet", "other"}, 2)};
  run();
  EXPECT_THAT(out.str(), Not(HasSubstr("other")));
  EXPECT_THAT(out.str(), HasSubstr("greet"));
  out.str("");
  command.event_kinds = {"plugin_failed"};
  pages = {page({"greet"}, 2)};
  run();
  EXPECT_EQ(out.str(), "");
}

TEST_F(EventsTest, AnAnswerThatIsNoneIsRefused) {
  pages = {{{"plugins", 1}}};
  EXPECT_THAT(failure_of([&] { run(); }).what(), HasSubstr("could not read the host's answer"));
}

TEST(EventLine, ShowsWhatAppliesAndNothingThatATerminalWouldActUpon) {
  const Json event = {
      {"event", "plugin_failed"},  {"at", "then"}, {"node", "a"}, {"plugin", "p"}, {"file", "p\u001b.so"},
      {"reason", "no such symbol"}};
  EXPECT_EQ(event_line(event, Palette(false)),
            "then  plugin_failed  node=a  plugin=p  file=p\\u001b.so  no such symbol\n");
  EXPECT_THAT(event_line(event, Palette(true)), HasSubstr("\x1b[31m"));
}

TEST(EventLine, ShowsTheCorrelationWhereItIsAnother) {
  Json event = {{"event", "executing_service"}, {"at", "then"}, {"message_id", "m"}, {"correlation_id", "m"}};
  EXPECT_THAT(event_line(event, Palette(false)), Not(HasSubstr("correlation")));
  event["correlation_id"] = "c";
  EXPECT_THAT(event_line(event, Palette(false)), HasSubstr("message=m  correlation=c"));
}

}  // namespace
}  // namespace busbar::cli
