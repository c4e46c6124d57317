// Several hosts that know each other: the real programs, joined through the first.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "system/support/test_host.hpp"

namespace busbar::system_tests {

/// Hosts by name; each has directories of its own, and registries with a heartbeat that is quick enough for tests.
/// Example: TestCluster cluster; cluster.add("a", {"greeter"}); cluster.add("b", {"echo"}); cluster.wait_until_whole();
///          cluster["a"].call("echo", 1);
class TestCluster {
 public:
  /// Makes a host with these plugins, and starts it: the first as the seed, the others so that they join it. Waits
  /// until it is ready. `more`: flags of its busbard, in place of the usual ones.
  TestHost& add(const std::string& name, const std::vector<std::string>& plugins = {},
                std::vector<std::string> more = {});
  /// The same without plugins and without starting it.
  TestHost& make(const std::string& name);
  /// Starts one that was made, or that has ended; as `add` says.
  void start(const std::string& name, std::vector<std::string> more = {});

  TestHost& operator[](std::string_view name) const;
  /// Ends one with SIGKILL.
  void kill(std::string_view name);
  /// Ends all that run, in order, the last one first; expects that each stops in order.
  void stop();

  /// The first one's registry, for `--join`.
  std::string seed() const;
  /// Waits until each running host says that exactly the running ones are there, and up.
  bool wait_until_whole() const;
  /// Waits until every running host discovers providers of the service on exactly these nodes.
  bool wait_until_offered(const std::string& service, std::vector<std::string> by) const;

 private:
  struct Member {
    std::string name;
    std::unique_ptr<TestHost> host;
  };
  std::vector<std::string> running() const;

  std::vector<Member> members_;
};

/// The members of `busbar nodes --json`, by state: `{"a": "self", "b": "up"}`.
Json states_of(const TestHost& host);
/// The nodes that `busbar discover --json` lists, in their order.
std::vector<std::string> discovered(const TestHost& host, const std::string& service);
/// A member of the status's "cluster".
Json cluster_status(const TestHost& host, const std::string& member);

/// A test with a cluster; what still runs at its end must stop in order.
class ClusterTest : public ::testing::Test {
 protected:
  void TearDown() override { cluster.stop(); }
  TestCluster cluster;
};

}  // namespace busbar::system_tests
