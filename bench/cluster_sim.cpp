// Clusters that are too large for one machine, by simulation: what nodes say to each other at rest and when one changes
// its services, under the registry's own logic on a virtual clock and network (tests/unit/registry/simulation). And the
// table of a node that knows a thousand others: its memory, how long a lookup takes there, and how long it takes to
// publish the change of one of them.
//
// usage: cluster_sim [NODES...]   (100 300 1000; what is said about the table does not depend on it)
#include <malloc.h>

#include <busbar/registry/registry.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support.hpp"
#include "unit/registry/simulation/network.hpp"

namespace {

using namespace bench;                      // NOLINT: a program of its own
using namespace busbar::registry;           // NOLINT
using namespace busbar::registry::testing;  // NOLINT

constexpr std::size_t kServices = 100;  // of each node
// Where there are more, nodes have none but when they change: each keeps a copy of each other's, which would take
// 11 GB of a thousand. At rest services are not spoken of, as the smaller clusters show.
constexpr std::size_t kMostWithServices = 300;

std::vector<RemoteService> services_of(const std::string& node, std::size_t count) {
  std::vector<RemoteService> services;
  for (std::size_t i = 0; i < count; ++i) {
    services.push_back({.name = "orders_" + node + "_" + std::to_string(1'000 + i), .router = "orders"});
  }
  return services;
}

double mebibytes_used() {
  const auto used = ::mallinfo2();
  return static_cast<double>(used.uordblks + used.hblkhd) / (1 << 20);
}

// -- what nodes say

struct Traffic {
  double messages = 0;
  double bytes = 0;
  Traffic operator-(const Traffic& other) const { return {messages - other.messages, bytes - other.bytes}; }
  Traffic operator/(double parts) const { return {messages / parts, bytes / parts}; }
};

class Cluster {
 public:
  // They join one after the other, through the first.
  Cluster(std::size_t nodes, std::size_t services) : nodes_(nodes) {
    network_.encodes = network_.views = false;
    network_.grain = 10ms;
    network_.max_peers = static_cast<unsigned>(nodes);
    network_.on_send = [this](const std::shared_ptr<const wire::Message>& message) { count(message); };
    for (std::size_t i = 0; i < nodes; ++i) {
      network_.start(name_of(i), i == 0 ? std::vector<std::string>{} : std::vector{name_of(0)}, 10,
                     services_of(name_of(i), services));
      network_.run(10ms);
    }
    network_.run(2s);
    for (const VirtualNode& node : network_.nodes()) {
      if (node.machine->rows().size() != nodes - 1) std::abort();
    }
  }

  double joining() const { return traffic_.bytes; }  // until all know all
  Traffic at_rest(std::chrono::seconds time) { return in(time) / static_cast<double>(nodes_ * time.count()); }
  // What is said because one node has other services: in a part of a heartbeat's time, less what is said in that part
  // of the next.
  Traffic of_change() {
    const Traffic before = traffic_;
    network_.change(name_of(1), services_of("changed_" + name_of(1), kServices));
    network_.run(100ms);
    const Traffic changed = traffic_ - before;
    network_.run(900ms);
    return changed - in(100ms);
  }

 private:
  static std::string name_of(std::size_t node) { return "n" + std::to_string(node); }

  Traffic in(Duration time) {
    const Traffic before = traffic_;
    network_.run(time);
    return traffic_ - before;
  }
  void count(const std::shared_ptr<const wire::Message>& message) {
    if (last_ != message) {  // else one that goes to many
      last_ = message;
      last_size_ = static_cast<double>(wire::encode(*message).size());
    }
    ++traffic_.messages;
    traffic_.bytes += last_size_;
  }

  const std::size_t nodes_;
  SimulatedNetwork network_;
  Traffic traffic_;
  std::shared_ptr<const wire::Message> last_;
  double last_size_ = 0;
};

void show_traffic(std::size_t nodes) {
  const std::size_t services = nodes <= kMostWithServices ? kServices : 0;
  const double before = mebibytes_used();
  Cluster cluster(nodes, services);
  const double memory = mebibytes_used() - before;
  const double joining = cluster.joining();
  const Traffic rest = cluster.at_rest(10s);
  const Traffic change = cluster.of_change();
  const auto all = static_cast<double>(nodes), peers = all - 1;
  std::printf("| %5zu | %3zu | %8.1f | %9.0f | %6.3f | %6.1f | %6.0f | %10.0f | %6.2f | %8.0f | %8.2f | %6.2f |\n",
              nodes, services, rest.messages, rest.bytes, rest.messages / peers, rest.bytes / peers, change.messages,
              change.bytes, change.messages / peers, change.bytes / peers, joining / all / (1 << 20), memory / all);
  std::fflush(stdout);
}

// -- the table

class Peer : public RemoteNode {
 public:
  explicit Peer(std::string name) : RemoteNode(std::move(name), 1) {}
  void is_reached() { set_routable(true); }
};

// The table of a node that knows so many others, with so many services each, all of other names or all of the same.
class Table {
 public:
  Table(std::size_t nodes, std::size_t services, bool same_names) : same_names_(same_names), services_(services) {
    const double before = mebibytes_used();
    for (std::size_t i = 0; i < nodes; ++i) {
      peers_.push_back(std::make_shared<Peer>("n" + std::to_string(i)));
      registry_.put_node(peers_.back(), record(i));
    }
    for (const auto& peer : peers_) peer->is_reached();  // so that the table is built once
    registry_.refresh();
    memory_ = mebibytes_used() - before;
    std::mt19937 random(42);
    for (std::size_t i = 0; i < kNames; ++i) names_.push_back(record(random() % nodes)[random() % services].name);
    for (std::size_t i = 0; i < kDraws; ++i) draws_.push_back(names_[random() % kNames]);
  }

  double memory() const { return memory_; }
  double ns_of_lookup() const {
    constexpr int kPasses = 20;
    std::uintptr_t seen = 0;
    const auto look_up_all = [&] {
      for (const std::string_view name : draws_) {
        seen +=
            registry_.lookup(name, [](const ServiceEntry* entry) { return reinterpret_cast<std::uintptr_t>(entry); });
      }
    };
    look_up_all();  // warms up
    const Nanos begun = now_ns();
    for (int pass = 0; pass < kPasses; ++pass) look_up_all();
    const Nanos took = now_ns() - begun;
    asm volatile("" : : "r"(seen));
    return static_cast<double>(took) / (kPasses * kDraws);
  }
  double ms_to_publish() {
    const Nanos begun = now_ns();
    registry_.put_node(peers_[1], record(1));
    return static_cast<double>(now_ns() - begun) / 1e6;
  }

 private:
  static constexpr std::size_t kNames = 4'096;  // of all, or the same few again and again
  static constexpr std::size_t kDraws = 1 << 16;

  std::vector<RemoteService> record(std::size_t node) const {
    return services_of(same_names_ ? "same" : "n" + std::to_string(node), services_);
  }

  const bool same_names_;
  const std::size_t services_;
  Registry registry_;
  std::vector<std::shared_ptr<Peer>> peers_;
  std::vector<std::string> names_;
  std::vector<std::string_view> draws_;
  double memory_ = 0;
};

void show_tables() {
  constexpr int kRounds = 9;
  Table few(10, 1, false), other(1'000, kServices, false), same(1'000, kServices, true);
  struct Figures {
    std::vector<double> lookup, publish;
  } of_few, of_other, of_same;
  for (int round = 0; round < kRounds; ++round) {
    for (auto& [table, figures] : {std::pair(&few, &of_few), {&other, &of_other}, {&same, &of_same}}) {
      figures->lookup.push_back(table->ns_of_lookup());
      figures->publish.push_back(table->ms_to_publish());
    }
  }
  const auto show = [&](const char* what, const Table& table, const Figures& figures) {
    std::printf("| %-52s | %7.1f | %5.1f | %5.2f | %8.3f |\n", what, table.memory(), median(figures.lookup),
                median(figures.lookup) / median(of_few.lookup), median(figures.publish));
  };
  std::printf(
      "\n| the table of a node that knows | MiB | ns a lookup | ratio | ms to publish a change "
      "|\n|---|---|---|---|---|\n");
  show("10 nodes with 1 service each", few, of_few);
  show("1,000 nodes with 100 services each, of 100,000 names", other, of_other);
  show("1,000 nodes with 100 services each, of 100 names", same, of_same);
}

}  // namespace

int main(int argc, char** argv) {
  run_on(0);
  show_tables();
  std::printf(
      "\n| nodes | services | at rest, a node and second: messages | bytes | messages a peer | bytes a peer | a "
      "change: "
      "messages | bytes | messages a peer | bytes a peer | MiB a node said to join | MiB of a node |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  std::vector<std::size_t> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::strtoul(argv[i], nullptr, 10));
  if (sizes.empty()) sizes = {100, 300, 1'000};
  for (const std::size_t nodes : sizes) show_traffic(nodes);
}
