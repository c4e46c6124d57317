#include "system/support/attacked_cluster.hpp"

#include <sstream>

namespace busbar::system_tests {

namespace registry_wire = registry::wire;

using ::testing::IsEmpty;

void AttackedCluster::start(const std::string& of_a, const std::string& of_b) {
  for (const char* name : {"a", "b"}) {
    keys.make(name);
    cluster.make(name).configure(*name == 'a' ? of_a : of_b);
    for (const char* plugin : {"behaviours", "placed"}) cluster[name].add(plugin);
    cluster.start(name, keys.flags(name));
  }
  keys.make("tester");
  ASSERT_TRUE(cluster.wait_until_whole());
  calls = cluster_status(cluster["b"], "address");
  registry = cluster_status(cluster["b"], "registry_address");
  NodeOptions options;
  options.name = "tester";
  options.join = {cluster.seed()};
  const auto flags = keys.flags("tester");
  options.security = {flags[3], flags[5]};
  node = std::make_unique<Node>(std::move(options));
  ASSERT_EQ(node->wait_joined(kLimit), JoinState::joined) << node->refusal();
  ASSERT_TRUE(eventually([&] { return providers(*node, "where") == std::vector<std::string>({"a", "b"}); }));
  callers = std::make_unique<SteadyCallers>(*node, 2, "where", kLimit);
  ASSERT_TRUE(callers->wait_for_more(100));
}

void AttackedCluster::TearDown() {
  if (callers != nullptr) {
    EXPECT_TRUE(callers->wait_for_more(100)) << "calls go on";
    EXPECT_THAT(callers->tally().failures, IsEmpty());
  }
  callers.reset();
  node.reset();
  ClusterTest::TearDown();
}

std::uint64_t AttackedCluster::turned_away(const char* why) const {
  return cluster_status(cluster["b"], "security")["turned_away"].value(why, 0ULL);
}

bool AttackedCluster::counted(const char* why, std::uint64_t least) const {
  return eventually([&] { return turned_away(why) >= least; });
}

std::size_t AttackedCluster::lines_with(const std::string& text, const std::string& other) const {
  std::istringstream log(cluster["b"].log());
  std::size_t count = 0;
  for (std::string line; std::getline(log, line);) {
    if (line.find(text) != std::string::npos && line.find(other) != std::string::npos) ++count;
  }
  return count;
}

long AttackedCluster::resident_kib() const {
  const std::string status = read_file("/proc/" + std::to_string(cluster["b"].process().pid()) + "/status");
  return std::stol(status.substr(status.find("VmRSS:") + 6));
}

std::vector<std::uint8_t> bytes_of(const wire::Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return sink.take();
}

wire::Envelope request_of(std::string_view service, std::uint64_t attempt) {
  wire::Envelope request;
  request.type = wire::EnvelopeType::request;
  request.major = wire::kCallProtocolMajor;
  request.attempt = attempt;
  request.service = service;
  request.message_id = "m-1";
  request.remaining_us = 60'000'000;
  return request;
}

bool is_answered(Visitor& visitor) {
  const auto request = request_of("nobody_has_this", 1'000'000'000);
  visitor.say(request);
  for (auto envelope = visitor.answered(); envelope; envelope = visitor.answered()) {
    if (envelope->attempt == request.attempt) return true;
  }
  return false;
}

bool is_answered(Visitor& visitor, registry::NodeRecord record) {
  constexpr std::uint64_t kNonce = 4711;
  record.incarnation = 1'000;
  visitor.say(registry_wire::Hello{.cluster = "busbar", .record = record});
  visitor.say(registry_wire::Ping{kNonce});
  for (auto message = visitor.told(); message; message = visitor.told()) {
    const auto* pong = std::get_if<registry_wire::Pong>(&*message);
    if (pong != nullptr && pong->nonce == kNonce) return true;
  }
  return false;
}

}  // namespace busbar::system_tests
