#include "system/faults/fault_test.hpp"

#include <cstdlib>

#include <algorithm>
#include <iostream>
#include <thread>

namespace busbar::system_tests {

namespace {

/// What the cluster has to heal itself, whatever has happened.
constexpr seconds kHealsWithin{5};
/// How many times as long all may take here: under a sanitizer, and where others want these processors, too.
double slowness() {
  double load = 0;  // how many threads have wanted to run in the last minute; those of such a test are two for each
  getloadavg(&load, 1);
  const double others = load / (2 * std::max(std::thread::hardware_concurrency(), 1U));
  return (under_any_sanitizer() ? 4 : 1) * std::max(others, 1.0);
}

std::int64_t ms_of(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

/// Whom somebody knows: names with incarnations, or with what keeps them from being called.
void put_node(Json& picture, const std::string& name, const std::string& state, const Json& incarnation) {
  picture["nodes"][name] = state == "self" || state == "up" ? incarnation : Json(state);
}

Json empty_picture() { return {{"nodes", Json::object()}, {"offers", Json::object()}}; }

}  // namespace

bool FaultTest::use_network(int machines) {
  network = std::make_unique<Network>(machines);
  return network->problem().empty();
}

TestHost& FaultTest::make(const std::string& name, const std::string& plugin) {
  TestHost& host = cluster.make(name);
  if (defaults_) host.configure("");
  if (!plugin.empty()) host.add(plugin);
  made_.push_back(name);
  if (network) host.machine = network->machine(machine_of(name));
  return host;
}

void FaultTest::start(const std::string& name, Names more) {
  if (network) {
    const std::string address = "tcp://" + Network::address(machine_of(name)) + ":*";
    const auto says = [&](const char* flag) { return std::find(more.begin(), more.end(), flag) != more.end(); };
    if (!says("--registry-listen")) more.insert(more.end(), {"--registry-listen", address});
    more.insert(more.end(), {"--insecure", "--listen", address});
  }
  cluster.start(name, std::move(more));
}

int FaultTest::machine_of(const std::string& host) const {
  return static_cast<int>(std::find(made_.begin(), made_.end(), host) - made_.begin());
}

void FaultTest::start_callers(const Names& beside) {
  for (const auto& host : beside) {
    Callers::What what{.name = "callers-" + host, .seed = cluster_status(cluster[host], "registry_address")};
    if (network) {
      what.machine = network->machine(machine_of(host));
      what.host = Network::address(machine_of(host));
    }
    if (defaults_) {
      what.heartbeat = NodeDefaults::heartbeat;
      what.lost_after = NodeDefaults::lost_after;
    }
    callers.push_back(std::make_unique<Callers>(what, cluster[host].root() / "said"));
  }
  for (const auto& each : callers) {
    ASSERT_TRUE(eventually([&] { return each->succeeded() != 0 || !each->process().running(); }));
    ASSERT_TRUE(each->process().running()) << each->process().err();
  }
  expect_more_calls();
}

void FaultTest::expect_more_calls(std::uint64_t calls) const {
  for (const auto& each : callers) EXPECT_TRUE(each->wait_for_more(calls)) << each->name() << ": " << each->latest();
}

Process FaultTest::start_endless_call(const std::string& from, const std::string& to) const {
  Process call = cluster[from].start_busbar(
      {"--json", "call", "work", R"({"number":1,"ms":600000})", "--timeout", "600000", "--node", to});
  EXPECT_TRUE(eventually([&] { return cluster[to].call("work_long").json["value"] > 0; }));
  return call;
}

void FaultTest::expect_nodedown(Process& call) {
  const auto ended = call.wait();
  ASSERT_TRUE(ended) << "it waits for its own budget";
  EXPECT_THAT(ended->out, testing::HasSubstr("nodedown"));
}

FaultTest::Names FaultTest::everybody() const {
  Names names;
  for (const auto& name : made_) {
    if (cluster[name].started()) names.push_back(name);
  }
  for (const auto& each : callers) names.push_back(each->name());
  return names;
}

Json FaultTest::picture_of(const std::string& name) const {
  for (const auto& each : callers) {
    if (each->name() == name) return picture_of_callers(*each);
  }
  Json picture = empty_picture();
  const TestHost& host = cluster[name];
  for (const Json& row : host.ask({"nodes"}).json.value("nodes", Json::array())) {
    put_node(picture, row.at("name"), row.at("state"), row.at("incarnation"));
  }
  for (const Json& row : host.ask({"services"}).json.value("services", Json::array())) {
    if (row.at("visibility") == "private") continue;
    picture["offers"][row.at("name").get<std::string>()] = row.at("providers").get<std::set<std::string>>();
  }
  return picture;
}

Json FaultTest::picture_of_callers(const Callers& who) const {
  Json picture = empty_picture();
  const Json told = who.latest();
  for (const auto& [name, row] : told.at("nodes").items()) {
    put_node(picture, name, row.at("state"), row.at("incarnation"));
  }
  for (const auto& [service, providers] : told.at("providers").items()) {
    if (!providers.empty()) picture["offers"][service] = providers.get<std::set<std::string>>();
  }
  return picture;
}

bool FaultTest::know(const Names& asked, const Names& known, const Offers& offers) const {
  const std::set<std::string> expected(known.begin(), known.end());
  Json expected_offers = Json::object();
  for (const auto& [service, nodes] : offers)
    expected_offers[service] = std::set<std::string>(nodes.begin(), nodes.end());
  Json first;
  return std::all_of(asked.begin(), asked.end(), [&](const auto& name) {
    const Json picture = picture_of(name);
    if (first.is_null()) first = picture;
    std::set<std::string> nodes;
    for (const auto& [node, incarnation] : picture["nodes"].items()) {
      if (incarnation.is_number()) nodes.insert(node);
    }
    return nodes == expected && nodes.size() == picture["nodes"].size() && picture["offers"] == expected_offers &&
           picture == first;
  });
}

std::string FaultTest::pictures() const {
  std::string all;
  for (const auto& name : everybody()) all += name + ": " + picture_of(name).dump() + "\n";
  return all;
}

void FaultTest::expect_healed(const Offers& offers) {
  const auto begun = Clock::now();
  auto asked = begun;  // all of them, one after the other: it was so then
  ASSERT_TRUE(eventually([&] {
    asked = Clock::now();
    return know_each_other(everybody(), offers);
  })) << pictures();
  healed_ = Clock::now();
  const auto took = std::chrono::duration_cast<milliseconds>(asked - begun);
  EXPECT_LE(took, slowness() * kHealsWithin);
  RecordProperty("healed_after_ms", static_cast<int>(took.count()));
  std::cout << "everybody knows everything after " << took.count() << " ms\n";
  expect_more_calls();
}

void FaultTest::expect_answered(const std::string& name, const Json& told) const {
  std::cout << name << ": " << told.value("begun", 0) << " calls, failed " << told.value("failed", Json()).dump()
            << ", the worst ended " << told.value("worst_ms_beyond_budget", 0)
            << " ms after its budget, its process was kept waiting for " << told.value("stalled_ms", 0) << " ms\n";
  EXPECT_EQ(told["begun"], told["answered"]) << name << ": each is answered";
  EXPECT_EQ(told["twice"], 0) << name << ": once";
  EXPECT_EQ(told["late"], false) << name << ": and not after its budget";
  EXPECT_EQ(told["wrong"], 0) << name << ": and with its own answer";
  EXPECT_GT(told["succeeded"], 0) << name;
  for (const auto& [failure, count] : told["failed"].items()) {
    EXPECT_TRUE(allowed_.contains(failure)) << name << ": " << count << " times " << failure;
  }
  if (healed_ != Clock::time_point()) {
    EXPECT_LE(told["last_failure_begun_ms"], ms_of(healed_)) << name << ": nothing fails any more; " << told["failed"];
  }
}

void FaultTest::TearDown() {
  for (const auto& each : callers) expect_answered(each->name(), each->stop());
  cluster.stop();
}

}  // namespace busbar::system_tests
