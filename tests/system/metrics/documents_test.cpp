// The files for Prometheus and Grafana: they are right by themselves, and name nothing that a host does not tell.
#include <regex>

#include "system/metrics/scrape.hpp"
#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;

const fs::path kFiles = BUSBAR_PROMETHEUS_FILES;

std::set<std::string> metrics_in(const std::string& text) {
  static const std::regex name("\\b(busbar|process)_[a-z0-9_]+");
  std::set<std::string> out;
  for (std::sregex_iterator each(text.begin(), text.end(), name), end; each != end; ++each) out.insert(each->str());
  return out;
}

/// The queries of a panel and of those inside it.
void add_queries(const Json& panel, std::vector<std::string>& queries) {
  for (const Json& target : panel.value("targets", Json::array())) queries.push_back(target.at("expr"));
  for (const Json& inner : panel.value("panels", Json::array())) add_queries(inner, queries);
}

std::vector<std::string> queries_of(const Json& dashboard) {
  std::vector<std::string> queries;
  for (const Json& panel : dashboard.at("panels")) add_queries(panel, queries);
  for (const Json& variable : dashboard.at("templating").at("list")) {
    if (variable.at("type") == "query") queries.push_back(variable.at("definition"));
  }
  return queries;
}

class PrometheusFiles : public SystemTest {
 protected:
  void SetUp() override {
    if (std::string_view(BUSBAR_PROMTOOL).find("NOTFOUND") != std::string_view::npos)
      GTEST_SKIP() << "no promtool here";
  }
  Ended promtool(std::vector<std::string> arguments, const fs::path& input = "/dev/null") const {
    Command command;
    arguments.insert(arguments.begin(), BUSBAR_PROMTOOL);
    command.arguments = std::move(arguments);
    command.input = input;
    command.scratch = host.root() / "said";
    return run(command);
  }
};

TEST_F(PrometheusFiles, PromtoolAcceptsTheRules) {
  const Ended ended = promtool({"check", "rules", "--lint=all", "--lint-fatal", kFiles / "alerts.yml"});
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
}

TEST_F(PrometheusFiles, PromtoolAcceptsTheMetrics) {
  configure_http(host);
  for (const char* name : {"greeter", "echo", "no_entry"}) host.add(name);
  host.start();
  host.call("greet", {{"name", "Ada"}});
  host.call("greet", 7);
  write_file(host.root() / "scrape", Scrape(host).text());
  const Ended ended = promtool({"check", "metrics"}, host.root() / "scrape");
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_EQ(ended.out + ended.err, "");
}

TEST_F(PrometheusFiles, NameOnlyMetricsThatThereAre) {
  configure_http(host);
  host.add("greeter");
  host.start();
  host.call("greet", {{"name", "Ada"}});
  TestHost other;
  other.start({"--node", "other", "--join", cluster_status(host, "registry_address")});
  ASSERT_TRUE(eventually([&] { return Scrape(host).value("busbar_peer_round_trip_seconds{peer=\"other\"}") > 0; }));
  const std::set<std::string> told = Scrape(host).names();
  std::string named = read_file(kFiles / "alerts.yml");
  for (const std::string& query : queries_of(Json::parse(read_file(kFiles / "busbar.json")))) named += query + "\n";
  const std::set<std::string> wanted = metrics_in(named);
  EXPECT_GT(wanted.size(), 20u);
  for (const auto& name : wanted) EXPECT_TRUE(told.contains(name) || told.contains(name + "_count")) << name;
  other.stop();
}

TEST_F(PrometheusFiles, TheDashboardIsOneOfGrafanas) {
  const Json dashboard = Json::parse(read_file(kFiles / "busbar.json"));
  for (const char* key : {"title", "uid", "panels", "schemaVersion", "templating", "time", "refresh"}) {
    EXPECT_TRUE(dashboard.contains(key)) << key;
  }
  std::set<int> ids;
  for (const Json& panel : dashboard["panels"]) {
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << "panel " << panel["id"] << " is there twice";
    const Json& at = panel.at("gridPos");
    EXPECT_LE(at.at("x").get<int>() + at.at("w").get<int>(), 24);
    EXPECT_FALSE(panel.at("title").get<std::string>().empty());
    if (panel.at("type") == "row") continue;
    EXPECT_EQ(panel.at("datasource").at("uid"), "${datasource}") << panel["title"];
    EXPECT_FALSE(panel.at("targets").empty()) << panel["title"];
  }
}

}  // namespace
}  // namespace busbar::system_tests
