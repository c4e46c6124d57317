#include "system/support/test_cluster.hpp"

#include <signal.h>

#include <algorithm>
#include <stdexcept>

namespace busbar::system_tests {

namespace {

// Quick enough that a test of a silent node need not wait for long, slow enough for a busy machine with sanitizers.
constexpr const char* kUsual = "[registry]\nheartbeat = \"200ms\"\nlost_after = \"2s\"\n";

}  // namespace

TestHost& TestCluster::make(const std::string& name) {
  members_.push_back({name, std::make_unique<TestHost>()});
  TestHost& host = *members_.back().host;
  host.configure(kUsual);
  return host;
}

TestHost& TestCluster::add(const std::string& name, const std::vector<std::string>& plugins,
                           std::vector<std::string> more) {
  TestHost& host = make(name);
  for (const auto& plugin : plugins) host.add(plugin);
  start(name, std::move(more));
  return host;
}

void TestCluster::start(const std::string& name, std::vector<std::string> more) {
  const auto says = [&](const char* flag) { return std::find(more.begin(), more.end(), flag) != more.end(); };
  if (!says("--node")) more.insert(more.end(), {"--node", name});
  const bool alone = running().empty();
  if (!alone && !says("--join")) more.insert(more.end(), {"--join", seed()});
  (*this)[name].start(std::move(more));
}

TestHost& TestCluster::operator[](std::string_view name) const {
  for (const Member& member : members_) {
    if (member.name == name) return *member.host;
  }
  throw std::runtime_error("no host \"" + std::string(name) + "\" was made");
}

void TestCluster::kill(std::string_view name) { (*this)[name].kill(); }

void TestCluster::stop() {
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if (member->host->started()) member->host->stop();
  }
}

std::vector<std::string> TestCluster::running() const {
  std::vector<std::string> names;
  for (const Member& member : members_) {
    if (member.host->started()) names.push_back(member.name);
  }
  return names;
}

std::string TestCluster::seed() const {
  for (const Member& member : members_) {
    if (member.host->started()) return system_tests::cluster_status(*member.host, "registry_address");
  }
  throw std::runtime_error("no host runs that others could join");
}

bool TestCluster::wait_until_whole() const {
  const auto names = running();
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    Json expected;
    for (const auto& other : names) expected[other] = other == name ? "self" : "up";
    return eventually([&] { return states_of((*this)[name]) == expected; });
  });
}

bool TestCluster::wait_until_offered(const std::string& service, std::vector<std::string> by) const {
  std::sort(by.begin(), by.end());
  const auto names = running();
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return eventually([&] {
      auto found = discovered((*this)[name], service);
      std::replace(found.begin(), found.end(), std::string("local"), name);
      std::sort(found.begin(), found.end());
      return found == by;
    });
  });
}

Json states_of(const TestHost& host) {
  Json states;
  for (const Json& row : host.ask({"nodes"}).json.value("nodes", Json::array()))
    states[row.at("name")] = row.at("state");
  return states;
}

std::vector<std::string> discovered(const TestHost& host, const std::string& service) {
  std::vector<std::string> nodes;
  for (const Json& row : host.ask({"discover", service}).json.value("providers", Json::array())) {
    nodes.push_back(row.at("node"));
  }
  return nodes;
}

Json cluster_status(const TestHost& host, const std::string& member) {
  return host.ask({"status"}).json["cluster"][member];
}

}  // namespace busbar::system_tests
