// Two documents in, lines of a given size out.
#include "cli/top/interval.hpp"
#include "cli/top/screen.hpp"
#include "cli/top/snapshot.hpp"
#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// As a host says it; `second`: a second later.
Json stats(bool second) {
  Json out = Json::parse(R"({
    "node": "a", "at_us": 1000000, "uptime_s": 10.0, "pool": {"threads": 8, "busy": 2, "queued": 1},
    "services": [
      {"service": "greet", "plugin": "greeter", "version": "1.0.0", "running": 2, "queued": 3,
       "calls": {"ok": 100, "error": 5}, "duration_us": {"sum": 1, "buckets": [[100, 100], [1000, 5]]}},
      {"service": "sleeps", "plugin": "behaviours", "version": "1.0.0", "running": 0, "queued": 0,
       "calls": {"ok": 7}, "duration_us": {"sum": 1, "buckets": [[null, 7]]}},
      {"service": "idle", "plugin": "behaviours", "version": "1.0.0", "running": 0, "queued": 0,
       "calls": {}, "duration_us": {"sum": 0, "buckets": []}}],
    "remote": [{"node": "b", "pending": 4, "calls": {}, "duration_us": {"sum": 0, "buckets": []}}],
    "nodes": [{"name": "a", "state": "self", "round_trip_us": 0, "services": 2},
              {"name": "b", "state": "up", "round_trip_us": 250, "services": 1}]})");
  if (!second) return out;
  out["at_us"] = 2'000'000;
  out["uptime_s"] = 11.0;
  out["services"][0]["calls"] = {{"ok", 190}, {"created", 10}, {"error", 10}, {"badrpc", 5}};
  out["services"][0]["duration_us"]["buckets"] = Json::array({{100, 150}, {200, 50}, {1000, 15}});
  out["services"][1]["calls"] = {{"ok", 17}};
  out["services"][1]["duration_us"]["buckets"] = Json::array({Json::array({nullptr, 17})});
  out["remote"][0]["calls"] = {{"ok", 4}, {"service_timeout", 1}};
  out["remote"][0]["duration_us"]["buckets"] = Json::array({{500, 5}});
  return out;
}

Json plugins() {
  return Json::parse(R"({"plugins": [
    {"name": "greeter", "version": "1.0.0", "generation": 1, "state": "serving", "calls_running": 2, "file": "g.so"},
    {"name": null, "file": "broken.so", "state": "failed"}]})");
}

class Top : public ::testing::Test {
 protected:
  Interval interval(SortBy order = SortBy::rate) const { return interval_between(&before, now, order); }
  std::vector<std::string> names(SortBy order) const {
    std::vector<std::string> out;
    for (const auto& row : interval(order).services) out.push_back(row.service);
    return out;
  }
  std::vector<std::string> lines(std::size_t width, std::size_t height, const std::string& problem = {}) const {
    const Interval rates = interval();
    std::vector<std::string> out;
    for (const ScreenLine& line : screen_of({now, rates, SortBy::rate, problem}, width, height)) {
      std::string text;
      for (const Cell& cell : line) text += cell.text;
      out.push_back(text);
    }
    return out;
  }
  std::string text(std::size_t width, std::size_t height, const std::string& problem = {}) const {
    std::string out;
    for (const std::string& line : lines(width, height, problem)) out += line + "\n";
    return out;
  }

  Snapshot before = read_snapshot(stats(false), plugins());
  Snapshot now = read_snapshot(stats(true), plugins());
};

TEST_F(Top, RatesAreWhatWasAddedInTheInterval) {
  const Interval found = interval();
  ASSERT_EQ(found.services.size(), 3u);
  EXPECT_EQ(found.services[0].service, "greet");
  EXPECT_EQ(found.services[0].rates.calls_per_s, 110);  // 90 ok, 10 created, 10 failed
  EXPECT_EQ(found.services[0].rates.errors_per_s, 10);
  EXPECT_EQ(found.services[0].running, 2u);
  EXPECT_EQ(found.services[0].queued, 3u);
  ASSERT_EQ(found.nodes.size(), 2u);
  EXPECT_EQ(found.nodes[1].calls_per_s, 5);
  EXPECT_EQ(found.nodes[1].errors_per_s, 1);
  EXPECT_EQ(now.nodes[1].pending, 4u);
}

TEST_F(Top, QuantilesAreThoseOfTheIntervalSpreadOverTheirBuckets) {
  const auto rows = interval().services;
  // 50 from 50 to 100 us, 50 from 100 to 200 us, 10 from 500 to 1,000 us: of 110, the 55th and the 108.9th.
  EXPECT_NEAR(*rows[0].rates.p50_us, 110, 0.001);
  EXPECT_NEAR(*rows[0].rates.p99_us, 500 + 500 * 0.89, 0.001);
  EXPECT_EQ(rows[1].rates.p50_us, 60e6) << "beyond all bounds";
  EXPECT_EQ(rows[2].rates.p50_us, std::nullopt) << "no call";
}

TEST_F(Top, ABucketBeginsWhereTheOneBelowItEndsAlsoWhereThatIsLeftOut) {
  for (const auto& [bound, begin] : std::vector<std::pair<double, double>>{
           {1, 0}, {2, 1}, {5, 2}, {10, 5}, {20, 10}, {50, 20}, {100, 50}, {1e6, 5e5}, {2e6, 1e6}, {3e7, 2e7}}) {
    CallTotals one;
    one.buckets[bound] = 100;
    EXPECT_NEAR(*quantile_of(one, 0.5), (begin + bound) / 2, bound * 1e-9) << bound;
  }
}

TEST_F(Top, SortsByWhatIsAskedFor) {
  EXPECT_EQ(names(SortBy::rate), (std::vector<std::string>{"greet", "sleeps", "idle"}));
  EXPECT_EQ(names(SortBy::p99), (std::vector<std::string>{"sleeps", "greet", "idle"}));
  EXPECT_EQ(names(SortBy::errors), (std::vector<std::string>{"greet", "idle", "sleeps"}));
  EXPECT_EQ(names(SortBy::name), (std::vector<std::string>{"greet", "idle", "sleeps"}));
}

TEST_F(Top, VersionsOfAServiceAreOneRow) {
  Json second = stats(true);
  Json newer = second["services"][0];
  newer["version"] = "1.1.0";
  newer["calls"] = {{"ok", 30}};
  newer["duration_us"]["buckets"] = Json::array({{100, 30}});
  second["services"].push_back(newer);
  now = read_snapshot(second, plugins());
  EXPECT_EQ(interval().services[0].rates.calls_per_s, 140);
  EXPECT_EQ(interval().services.size(), 3u);
}

TEST_F(Top, AHostThatWasStartedAnewBeginsAnew) {
  now.uptime_s = 0.5;
  EXPECT_EQ(interval().services[0].rates.calls_per_s, 215) << "all that it has counted is new";
}

TEST_F(Top, WithOneLookAloneThereAreNoRates) {
  const Interval none = interval_between(nullptr, now, SortBy::rate);
  EXPECT_EQ(none.length_us, 0u);
  EXPECT_EQ(none.services.size(), 3u);
  EXPECT_EQ(none.services[0].rates.calls_per_s, 0);
}

TEST_F(Top, AllSectionsFitIntoEightyByTwentyFour) {
  for (int i = 0; i < 40; ++i) {
    now.nodes.push_back({"n" + std::to_string(i), "up", 100, 1, 0, {}});
    now.plugins.push_back({"p" + std::to_string(i), "1.0.0", "serving", 1, 0});
    Snapshot::Service more;
    more.service = std::string(200, 's') + std::to_string(i);
    now.services.push_back(more);
  }
  const auto shown = lines(80, 24);
  EXPECT_EQ(shown.size(), 24u);
  for (const std::string& line : shown) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_THAT(text(80, 24), AllOf(HasSubstr("SERVICES ("), HasSubstr(" of 43)"), HasSubstr("NODES ("),
                                  HasSubstr("PLUGINS ("), HasSubstr("CALLS/S"), HasSubstr("P99"), HasSubstr("greet")));
}

TEST_F(Top, AnySizeHoldsWhatIsShown) {
  for (std::size_t width = 1; width <= 200; ++width) {
    for (const std::size_t height : {1, 2, 7, 24, 60}) {
      const auto shown = lines(width, height, "the host went away: it ended the connection");
      EXPECT_LE(shown.size(), height);
      for (const std::string& line : shown) ASSERT_LE(line.size(), width) << line;
    }
  }
}

TEST_F(Top, OfManyRowsAHighScreenShowsMore) {
  const auto rows_at = [&](std::size_t height) { return lines(80, height).size(); };
  for (int i = 0; i < 100; ++i) now.plugins.push_back({"p" + std::to_string(i), "1.0.0", "serving", 1, 0});
  EXPECT_EQ(rows_at(24), 24u);
  EXPECT_EQ(rows_at(50), 50u);
  EXPECT_GT(rows_at(0), 100u) << "as long as it takes";
}

TEST_F(Top, NothingReachesTheTerminalThatItActsUpon) {
  now.services[0].service = "gr\033[2Jeet\x9b\r\n";
  now.services[0].plugin = "\007";
  now.nodes[1].state = "\033]0;x\a";
  now.plugins[0].name = "ü\u202e";
  now.node = "a\b";
  for (const std::string& line : lines(200, 60, "\033c")) {
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
  }
  EXPECT_THAT(text(200, 60), HasSubstr("gr?[2Jeet???"));
}

TEST_F(Top, SaysWhyWhatItShowsIsOld) {
  EXPECT_THAT(text(80, 24, "the host went away"), HasSubstr("the host went away"));
  EXPECT_THAT(text(80, 24), Not(HasSubstr("went away")));
}

TEST_F(Top, ADocumentThatIsNoneIsEmpty) {
  for (const char* json :
       {"null", "[]", "7", "{}", R"({"services": 7, "nodes": [1], "plugins": {"a": {}}})",
        R"({"services": [{"service": 1, "calls": [], "duration_us": {"buckets": [1, [2], ["x", "y"]]}}]})",
        R"({"services": [{"calls": {"ok": -1, "error": "many"}, "duration_us": 7}], "pool": []})"}) {
    now = read_snapshot(Json::parse(json), Json::parse(json));
    EXPECT_FALSE(lines(80, 24).empty()) << json;
  }
}

TEST_F(Top, APluginWithoutANameIsCalledAsItsFile) { EXPECT_THAT(text(80, 24), HasSubstr("broken.so")); }

TEST_F(Top, HasADocument) {
  const Json found = top_json(now, interval());
  EXPECT_EQ(found["node"], "a");
  EXPECT_EQ(found["interval_us"], 1'000'000);
  EXPECT_EQ(found["services"][0]["service"], "greet");
  EXPECT_EQ(found["services"][0]["plugin"], "greeter");
  EXPECT_EQ(found["services"][0]["calls_per_s"], 110.0);
  EXPECT_EQ(found["services"][2]["p99_us"], Json());
  EXPECT_EQ(found["nodes"][0]["round_trip_us"], Json());
  EXPECT_EQ(found["nodes"][1]["calls_per_s"], 5.0);
  EXPECT_EQ(found["nodes"][1]["pending"], 4);
  EXPECT_EQ(found["plugins"][0]["state"], "serving");
}

}  // namespace
}  // namespace busbar::cli
