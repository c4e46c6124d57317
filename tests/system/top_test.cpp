// `busbar top` on a real terminal, and for programs.
#include <signal.h>

#include <set>

#include "system/support/pseudo_terminal.hpp"
#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Top : public SystemTest {
 protected:
  void SetUp() override {
    host.add("behaviours");
    host.add("greeter");
    host.start();
  }
  std::vector<std::string> top() const {
    return {tested::busbar(), "--run-dir", host.run_dir().native(), "top", "--interval", "100ms"};
  }
  Process start_calls() const {
    return host.start_busbar({"bench", "answers_kind", R"({"key":"error"})", "--rate", "100/s", "--duration", "1h"});
  }
  static std::string line_of(const std::string& screen, const std::string& name) {
    const std::size_t begin = screen.find("\n" + name);
    return begin == std::string::npos ? "" : screen.substr(begin + 1, screen.find('\n', begin + 1) - begin - 1);
  }
};

TEST_F(Top, ShowsAllThatThereIsInEightyColumns) {
  const Process calls = start_calls();
  PseudoTerminal terminal(top(), 80, 24);
  ASSERT_TRUE(terminal.eventually([](const std::string& screen) {
    return line_of(screen, "answers_kind").find(" us") != std::string::npos ||
           line_of(screen, "answers_kind").find(" ms") != std::string::npos;
  })) << terminal.screen();
  const std::string screen = terminal.screen();
  EXPECT_THAT(screen, AllOf(HasSubstr("busbar top: tested"), HasSubstr("SERVICES"), HasSubstr("NODES"),
                            HasSubstr("PLUGINS"), HasSubstr("CALLS/S"), HasSubstr("P99"), HasSubstr("ERRORS/S")));
  EXPECT_THAT(line_of(screen, "tested"), HasSubstr("self"));
  EXPECT_THAT(line_of(screen, "greeter"), HasSubstr("serving"));
  EXPECT_LT(screen.find("\nanswers_kind"), screen.find("\nanswers_later")) << "by their rates: " << screen;
  EXPECT_EQ(terminal.take_unexpected(), "");
  EXPECT_TRUE(terminal.has_other_screen());
  EXPECT_FALSE(terminal.shows_cursor());
}

TEST_F(Top, HasTheSizeThatTheTerminalHas) {
  PseudoTerminal terminal(top(), 80, 24);
  ASSERT_TRUE(terminal.eventually_shows("serving"));
  EXPECT_THAT(terminal.screen(), AllOf(HasSubstr("QUEUE"), HasSubstr(" of ")));
  terminal.resize(40, 12);
  ASSERT_TRUE(terminal.eventually([](const std::string& screen) { return screen.find("QUEUE") == std::string::npos; }));
  ASSERT_TRUE(terminal.eventually_drawn());
  terminal.take_unexpected();  // what was on its way for the size before
  ASSERT_TRUE(terminal.eventually_drawn());
  ASSERT_TRUE(terminal.eventually_drawn());
  EXPECT_EQ(terminal.take_unexpected(), "");
  EXPECT_THAT(terminal.screen(), AllOf(HasSubstr("SERVICES"), HasSubstr("NODES"), HasSubstr("PLUGINS")));
  terminal.resize(120, 60);
  EXPECT_TRUE(terminal.eventually([](const std::string& screen) {
    return screen.find("QUEUE") != std::string::npos && screen.find("SERVICES (") == std::string::npos;
  })) << "there is room for all now: "
      << terminal.screen();
}

TEST_F(Top, GivesTheTerminalBackAsItWas) {
  for (const char* key : {"q", "\003"}) {  // Ctrl-C
    PseudoTerminal terminal(top(), 80, 24);
    ASSERT_TRUE(terminal.eventually_shows("serving"));
    EXPECT_FALSE(terminal.is_cooked());
    terminal.press(key);
    EXPECT_EQ(terminal.wait(), 0) << key;
    EXPECT_FALSE(terminal.has_other_screen());
    EXPECT_TRUE(terminal.shows_cursor());
    EXPECT_TRUE(terminal.is_cooked());
  }
}

TEST_F(Top, SortsByTheKeyThatIsPressed) {
  const Process calls = start_calls();
  PseudoTerminal terminal(top(), 80, 60);
  const auto calls_come = [](const std::string& before, const std::string& other) {
    return [=](const std::string& screen) {
      const std::size_t first = screen.find("\n" + before);
      const std::size_t second = screen.find("\n" + other);
      return first < second && second != std::string::npos;
    };
  };
  ASSERT_TRUE(terminal.eventually(calls_come("answers_kind ", "answers_later ")));
  terminal.press("n");
  EXPECT_TRUE(terminal.eventually(calls_come("answers_later ", "answers_nobody "))) << terminal.screen();
  EXPECT_TRUE(calls_come("answers_kind ", "answers_later ")(terminal.screen()));
  EXPECT_TRUE(calls_come("answers_twice ", "authorize_throws ")(terminal.screen()));
}

TEST_F(Top, AHostThatHasGoneIsWaitedFor) {
  PseudoTerminal terminal(top(), 80, 24);
  ASSERT_TRUE(terminal.eventually_shows("serving"));
  host.kill();
  ASSERT_TRUE(terminal.eventually([](const std::string& screen) {
    return screen.find("no such socket") != std::string::npos || screen.find("nobody listens") != std::string::npos ||
           screen.find("went away") != std::string::npos;
  }));
  EXPECT_THAT(terminal.screen(), HasSubstr("PLUGINS")) << "what was last known stays";
  host.start();
  EXPECT_TRUE(terminal.eventually_shows("sort by:"));
  host.process().freeze();
  EXPECT_TRUE(terminal.eventually_shows("has not answered"));
  host.process().signal(SIGCONT);
  EXPECT_TRUE(terminal.eventually_shows("sort by:"));
  terminal.press("q");
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_TRUE(terminal.is_cooked());
}

TEST_F(Top, WithoutAHostLeavesTheTerminalAndSaysWhy) {
  host.stop();
  PseudoTerminal terminal(top(), 80, 24);
  EXPECT_EQ(terminal.wait(), 7);
  EXPECT_FALSE(terminal.has_other_screen());
  EXPECT_TRUE(terminal.is_cooked());
}

TEST_F(Top, ForProgramsIsOneDocument) {
  const auto keys_of = [](const Json& object) {
    std::set<std::string> out;
    for (const auto& [key, value] : object.items()) out.insert(key);
    return out;
  };
  using Keys = std::set<std::string>;
  const Process calls = start_calls();
  Json found, row;
  ASSERT_TRUE(eventually([&] {
    found = host.ask({"top", "--interval", "200ms"}).json;
    row = found["services"][0];
    return row.value("calls_per_s", 0.0) > 0;
  }));
  EXPECT_EQ(keys_of(found), (Keys{"node", "interval_us", "uptime_s", "pool", "services", "nodes", "plugins"}));
  EXPECT_EQ(keys_of(row),
            (Keys{"service", "plugin", "running", "queued", "calls_per_s", "errors_per_s", "p50_us", "p99_us"}));
  EXPECT_EQ(row["service"], "answers_kind");
  EXPECT_EQ(row["plugin"], "behaviours");
  EXPECT_EQ(row["errors_per_s"], row["calls_per_s"]);
  EXPECT_GT(row["p99_us"], 0);
  EXPECT_GT(found["interval_us"], 0);
  EXPECT_EQ(keys_of(found["nodes"][0]), (Keys{"name", "state", "round_trip_us", "services", "pending", "calls_per_s",
                                              "errors_per_s", "p50_us", "p99_us"}));
  EXPECT_EQ(keys_of(found["plugins"][0]), (Keys{"name", "version", "generation", "state", "calls_running"}));
}

TEST_F(Top, WithoutATerminalDoesNotWaitForAHostThatStandsStill) {
  host.process().freeze();
  const Ended once = host.busbar({"top", "--once", "--interval", "1h"});
  host.process().signal(SIGCONT);
  EXPECT_EQ(once.status, 7) << once.out;
  EXPECT_THAT(once.err, HasSubstr("did not answer within 1"));
}

TEST_F(Top, WithoutATerminalShowsOneInterval) {
  const Ended once = host.busbar({"top", "--interval", "100ms"});
  EXPECT_EQ(once.status, 0) << once.err;
  EXPECT_THAT(once.out, AllOf(HasSubstr("SERVICES"), HasSubstr("greet"), Not(HasSubstr("\033"))));
  EXPECT_EQ(host.busbar({"top", "--interval", "1ms"}).status, 2);
}

}  // namespace
}  // namespace busbar::system_tests
