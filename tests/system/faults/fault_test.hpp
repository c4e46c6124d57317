// What all tests of faults have in common: hosts, many callers at work on three nodes, and what must hold afterwards.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "system/faults/callers.hpp"
#include "system/support/network.hpp"
#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A cluster of hosts, and processes with 64 callers each. At its end everything stops in order, and each call must
/// have been answered once, not after its budget, and with nothing but a success or what `allow` names.
class FaultTest : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;
  using Names = std::vector<std::string>;
  /// The nodes that offer a service.
  using Offers = std::map<std::string, Names>;

  /// Before the first host: all have the heartbeats and the patience that a host has by itself.
  void use_defaults() { defaults_ = true; }
  /// Before the first host: each is on a machine of its own, in the order in which they are made. False: the test is to
  /// be skipped, for `network->problem()`.
  bool use_network(int machines);

  /// With the plugin "worker", or without plugins.
  TestHost& make(const std::string& name, const std::string& plugin = "worker");
  /// Starts one that was made, or that has ended.
  void start(const std::string& name, Names more = {});
  TestHost& add(const std::string& name, const std::string& plugin = "worker") {
    TestHost& host = make(name, plugin);
    start(name);
    return host;
  }
  /// A process with callers for each of these hosts, on its machine and joined through it: "callers-a", and so on.
  /// Waits until all are at work.
  void start_callers(const Names& beside);
  /// Waits until that many more calls have succeeded at each.
  void expect_more_calls(std::uint64_t calls = 200) const;
  /// A call at one host that another one works on for longer than any test lasts: it is under way when this returns.
  Process start_endless_call(const std::string& from, const std::string& to) const;
  /// It ends because its provider is given up, long before its budget.
  static void expect_nodedown(Process& call);

  /// What a call may end with beside a success, as callers_program.cpp words it.
  void allow(const std::string& failure) { allowed_.insert(failure); }
  /// What silence may do: the failure detector speaks (C-D9), or a budget that is shorter than its time is over.
  void allow_silence() {
    allow("badrpc nodedown");
    allow("service_timeout after 1000 ms");
  }

  /// Whether each of `asked` knows exactly `known`, itself included, and what they offer, and all of them the same.
  /// Both are hosts, and callers by their names.
  bool know(const Names& asked, const Names& known, const Offers& offers) const;
  bool know_each_other(const Names& all, const Offers& offers) const { return know(all, all, offers); }
  /// From here on nothing is broken: within five seconds everybody knows everything, and then each call succeeds.
  void expect_healed(const Offers& offers);

  /// Hosts and callers that run.
  Names everybody() const;
  void TearDown() override;

  TestCluster cluster;
  std::unique_ptr<Network> network;
  std::vector<std::unique_ptr<Callers>> callers;

 private:
  int machine_of(const std::string& host) const;
  Json picture_of(const std::string& name) const;
  Json picture_of_callers(const Callers& who) const;
  std::string pictures() const;
  void expect_answered(const std::string& name, const Json& told) const;

  Names made_;  // the hosts, in the order in which they were made
  std::set<std::string> allowed_;
  bool defaults_ = false;
  Clock::time_point healed_{};  // nothing may have failed since
};

}  // namespace busbar::system_tests
