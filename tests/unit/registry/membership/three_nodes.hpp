// Nodes of one process in a network without sockets, as the tests of memberships begin with them.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/registry/virtual_network.hpp"

namespace busbar::registry::testing {

inline std::vector<std::string> known_at(VirtualNetwork& network, const std::string& key) {
  std::vector<std::string> names;
  for (const auto& [name, record] : network[key].view) names.push_back(name);
  return names;
}

inline std::vector<std::string> services_of(VirtualNetwork& network, const std::string& at, const std::string& node) {
  std::vector<std::string> names;
  for (const auto& service : network[at].view.at(node).services) names.push_back(service.name);
  return names;
}

inline MembershipOptions options_of_b_with_seed_a() {
  MembershipOptions options;
  options.node = "b";
  options.incarnation = 1;
  options.registry_address = "tcp://b:1";
  options.call_address = "tcp://b:2";
  options.seeds = {"tcp://a:1"};
  return options;
}

inline NodeRecord record_of(const std::string& name, std::uint64_t incarnation = 1) {
  return {.name = name,
          .incarnation = incarnation,
          .version = 1,
          .call_address = "tcp://" + name + ":2",
          .registry_address = "tcp://" + name + ":1",
          .services = {}};
}

/// a is the seed; b and c join through it.
struct ThreeNodes : ::testing::Test {
  ThreeNodes() {
    network.start("a", {}, 10, {service("apply")});
    network.start("b", {"a"}, 10, {service("bake")});
    network.start("c", {"a"}, 10, {service("count")});
    network.run(1s);
    EXPECT_EQ(disagreement(network), "");
  }
  VirtualNetwork network;
};

/// The addresses that are dialled within that time, by nobody's answering.
inline std::vector<std::string> dialled(Membership& machine, Time from, Duration within, Actions actions = {}) {
  std::vector<std::string> out;
  for (Time now = from; now < from + within; now += 100ms) {
    for (Action& next : machine.tick(now)) actions.push_back(std::move(next));
    for (const Action& action : std::exchange(actions, {})) {
      const auto* connect = std::get_if<Connect>(&action);
      if (connect == nullptr) continue;
      out.push_back(connect->address);
      machine.link_down(now, connect->link, "nobody is there");
    }
  }
  return out;
}

}  // namespace busbar::registry::testing
