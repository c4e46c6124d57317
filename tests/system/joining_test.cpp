// How hosts find each other: several seeds, seeds that are names, seeds that come late or go, IPv6, and how many nodes
// there may be.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <busbar/limits.hpp>
#include <busbar/registry/net/capacity.hpp>
#include <busbar/registry/net/door.hpp>
#include <busbar/registry/net/resolver.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "system/support/own_machine.hpp"
#include "system/support/raw_connections.hpp"
#include "system/support/test_cluster.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kNobody = "tcp://127.0.0.1:9";

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

/// The kernel takes connections for it, and nobody says anything.
class Hole {
 public:
  Hole() {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    if (::bind(socket_, address, size) != 0 || ::listen(socket_, 16) != 0 ||
        ::getsockname(socket_, address, &size) != 0) {
      throw std::runtime_error("could not listen");
    }
    address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(here.sin_port));
  }
  ~Hole() { ::close(socket_); }
  Hole(const Hole&) = delete;
  Hole& operator=(const Hole&) = delete;
  const std::string& address() const { return address_; }

 private:
  int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string address_;
};

class Joining : public ClusterTest {};

TEST_F(Joining, OneLivingSeedIsEnoughWhereverTheyAreListed) {
  const Hole hole;
  cluster.add("a", {"greeter"});
  const std::string living = cluster.seed();
  TestHost& by_file = cluster.make("file");
  by_file.configure("[cluster]\njoin = [\"" + std::string(kNobody) + "\", \"" + hole.address() + "\", \"" + living +
                    "\"]\n[registry]\nheartbeat = \"200ms\"\nlost_after = \"2s\"\n");
  by_file.start({"--node", "file"});
  TestHost& by_environment = cluster.make("environment");
  by_environment.variables["BUSBAR_CLUSTER__JOIN"] = hole.address() + ", " + kNobody + "," + living;
  by_environment.start({"--node", "environment"});
  cluster.add("flags", {}, {"--join", kNobody, "--join", living, "--join", hole.address()});
  EXPECT_TRUE(cluster.wait_until_whole());
  for (const char* each : {"file", "environment", "flags"}) {
    EXPECT_EQ(cluster[each].call("greet", {{"name", "Ada"}}).status, 0) << each;
    EXPECT_TRUE(eventually([&] {
      const std::string log = cluster[each].log();
      return log.find("could not reach seed " + hole.address()) != std::string::npos &&
             log.find(std::string("could not reach seed ") + kNobody) != std::string::npos;
    })) << each
        << ": who is not there is told of";
  }
}

/// In a machine of its own, where nobody else takes a port.
class JoiningHere : public Joining {
 protected:
  void SetUp() override {
    if (!machine.problem().empty()) GTEST_SKIP() << machine.problem();
  }
  std::string registry_of(const std::string& host) {
    return cluster_status(cluster[host], "registry_address").get<std::string>();
  }
  /// How many times the host has said that, so far.
  std::size_t said(const std::string& host, const std::string& words) {
    const std::string log = cluster[host].log();
    std::size_t count = 0;
    for (auto at = log.find(words); at != std::string::npos; at = log.find(words, at + 1)) ++count;
    return count;
  }
  OwnMachine machine;
};

TEST_F(JoiningHere, NoSeedIsNeededOnceJoinedAndOneThatReturnsIsFound) {
  cluster.add("a");
  cluster.add("b");
  const std::vector<std::string> seeds = {registry_of("a"), registry_of("b")};
  cluster.add("c", {}, {"--join", seeds[0], "--join", seeds[1]});
  cluster.add("d", {}, {"--join", seeds[0], "--join", seeds[1]});
  ASSERT_TRUE(cluster.wait_until_whole());
  cluster.kill("a");
  cluster.kill("b");
  ASSERT_TRUE(cluster.wait_until_whole());
  cluster["c"].add("greeter");
  EXPECT_EQ(cluster["c"].ask({"rescan"}).status, 0);
  EXPECT_TRUE(cluster.wait_until_offered("greet", {"c"}));
  EXPECT_EQ(cluster["d"].call("greet", {{"name", "Ada"}}).status, 0);
  cluster["a"].start({"--node", "a", "--registry-listen", seeds[0]});
  EXPECT_TRUE(cluster.wait_until_whole()) << "it has no seeds itself: the others have found it";
}

TEST_F(JoiningHere, ASeedThatComesLaterIsJoinedThen) {
  const std::string later = "tcp://127.0.0.1:4711";
  cluster.make("b").start({"--node", "b", "--join", later});
  cluster.make("c").start({"--node", "c", "--join", later});
  EXPECT_EQ(states_of(cluster["b"]), Json({{"b", "self"}}));
  cluster.make("a").start({"--node", "a", "--registry-listen", later});
  EXPECT_TRUE(cluster.wait_until_whole());
}

TEST_F(JoiningHere, ANameIsJoinedThroughWhicheverOfItsAddressesLives) {
  machine.set_hosts("127.0.0.2 seeds.test\n127.0.0.1 seeds.test\n::1 seeds.test\n");
  ASSERT_EQ(registry::net::look_up("seeds.test").hosts.size(), 3u);
  cluster.add("a");
  const std::string seed = "tcp://seeds.test:" + port_of(registry_of("a"));
  cluster.add("b", {}, {"--insecure", "--join", seed});
  EXPECT_TRUE(cluster.wait_until_whole());
  EXPECT_THAT(cluster["b"].log(), Not(HasSubstr("could not reach seed"))) << "somebody is reached by that name";
}

TEST_F(JoiningHere, ASeedThatMovesIsFoundAtTheNewAddressOfItsName) {
  machine.set_hosts("127.0.0.2 seed.test\n");
  cluster.add("a", {}, {"--registry-listen", "tcp://127.0.0.2:*"});
  const std::string port = port_of(registry_of("a"));
  cluster.add("b", {}, {"--insecure", "--join", "tcp://seed.test:" + port});
  ASSERT_TRUE(cluster.wait_until_whole());
  cluster.kill("a");
  ASSERT_TRUE(cluster.wait_until_whole());
  ASSERT_TRUE(eventually([&] { return said("b", "could not reach seed tcp://seed.test:" + port) == 1; }));
  machine.set_hosts("127.0.0.3 seed.test\n");
  cluster["a"].start({"--node", "a", "--registry-listen", "tcp://127.0.0.3:" + port});
  EXPECT_TRUE(cluster.wait_until_whole()) << "it has no seeds: the other one has found it";
}

TEST_F(JoiningHere, ANameThatIsUnknownAtFirstIsJoinedWhenItIsKnown) {
  cluster.add("a");
  const std::string seed = "tcp://seed.test:" + port_of(registry_of("a"));
  cluster.add("b", {}, {"--insecure", "--join", seed});
  EXPECT_EQ(said("b", "could not reach seed " + seed + ": its name cannot be looked up"), 1u) << cluster["b"].log();
  machine.set_hosts("127.0.0.1 seed.test\n");
  EXPECT_TRUE(cluster.wait_until_whole());
}

TEST_F(JoiningHere, ANameThatIsAdvertisedIsReachedOnBothPlanes) {
  machine.set_hosts("127.0.0.1 a.test\n");
  cluster.add("a", {"greeter"}, {"--advertise", "a.test", "--insecure"});
  const std::string seed = "tcp://127.0.0.1:" + port_of(registry_of("a"));
  cluster.add("b", {}, {"--join", seed, "--insecure"});
  cluster.add("c", {}, {"--join", registry_of("b"), "--insecure"});  // hears of the name from b
  ASSERT_TRUE(cluster.wait_until_whole());
  EXPECT_THAT(registry_of("a"), StartsWith("tcp://a.test:"));
  EXPECT_EQ(cluster["b"].call("greet", {{"name", "Ada"}}).status, 0);
  EXPECT_EQ(cluster["c"].call("greet", {{"name", "Ada"}}).status, 0);
}

TEST_F(JoiningHere, HostsMeetAndCallEachOtherByIPv6) {
  const std::vector<std::string> here = {"--listen", "tcp://[::1]:*", "--registry-listen", "tcp://[::1]:*"};
  cluster.add("a", {"greeter"}, here);
  EXPECT_THAT(registry_of("a"), StartsWith("tcp://[::1]:"));
  auto b = here;
  b.insert(b.end(), {"--join", registry_of("a")});
  cluster.add("b", {"echo"}, b);
  ASSERT_TRUE(cluster.wait_until_whole());
  ASSERT_TRUE(cluster.wait_until_offered("greet", {"a"}));
  ASSERT_TRUE(cluster.wait_until_offered("echo", {"b"}));
  EXPECT_EQ(cluster["b"].call("greet", {{"name", "Ada"}}).json["value"]["text"], "Hello, Ada!");
  EXPECT_EQ(cluster["a"].call("echo", 1).json["value"], 1);
  const Json rows = cluster["a"].ask({"nodes"}).json["nodes"];
  EXPECT_EQ(rows.size(), 2U);
  for (const Json& row : rows) {
    EXPECT_THAT(row["address"].get<std::string>(), StartsWith("tcp://[::1]:"));
  }
}

TEST_F(JoiningHere, AnIPv6AddressCanBeAdvertised) {
  if (!machine.add_address("fd00::7/64")) GTEST_SKIP() << "no IPv6 here, or no veth pairs";
  cluster.add("a", {"greeter"},
              {"--insecure", "--listen", "tcp://[::]:*", "--registry-listen", "tcp://*:*", "--advertise", "fd00::7"});
  EXPECT_THAT(registry_of("a"), StartsWith("tcp://[fd00::7]:"));
  cluster.add("b", {}, {"--insecure", "--join", registry_of("a")});
  ASSERT_TRUE(cluster.wait_until_whole());
  EXPECT_EQ(cluster["b"].call("greet", {{"name", "Ada"}}).status, 0);
}

TEST_F(JoiningHere, Z19_AWildcardIsBoundAndNeverAnnounced) {
  if (!machine.add_address("10.1.1.7/24")) GTEST_SKIP() << "no veth pairs here";
  std::vector<std::string> join;
  for (const std::string host : {"*", "[::]", "0.0.0.0"}) {
    const std::string name = host == "*" ? "star" : host == "[::]" ? "six" : "four";
    std::vector<std::string> flags = {"--insecure", "--listen", "tcp://" + host + ":*", "--registry-listen",
                                      "tcp://" + host + ":*"};
    flags.insert(flags.end(), join.begin(), join.end());
    cluster.add(name, name == "star" ? std::vector<std::string>{"greeter"} : std::vector<std::string>{}, flags);
    if (join.empty()) join = {"--join", registry_of(name)};
  }
  ASSERT_TRUE(cluster.wait_until_whole());
  for (const char* each : {"star", "six", "four"}) {
    const Json rows = cluster[each].ask({"nodes"}).json["nodes"];
    EXPECT_EQ(rows.size(), 3U);
    for (const Json& row : rows) {
      EXPECT_THAT(row["address"].get<std::string>(), StartsWith("tcp://10.1.1.7:"));
      EXPECT_THAT(row["registry_address"].get<std::string>(), StartsWith("tcp://10.1.1.7:"));
    }
    EXPECT_EQ(cluster[each].call("greet", {{"name", "Ada"}}).status, 0) << each;
  }
}

// ---------------------------------------------------------------------------------------------- how many there may be

class MaxPeers : public ClusterTest {
 protected:
  TestHost& add(const std::string& name, unsigned max_peers) {
    cluster.make(name).configure(
        "[registry]\nheartbeat = \"200ms\"\nlost_after = \"2s\"\nmax_peers = " + std::to_string(max_peers) + "\n");
    cluster.start(name);
    return cluster[name];
  }
  bool says(const std::string& host, const std::string& words) {
    return eventually([&] { return cluster[host].log().find(words) != std::string::npos; });
  }
};

TEST_F(MaxPeers, OneTooManyIsRefusedInWordsOnBothSidesAndLetInWhenThereIsRoom) {
  for (const char* name : {"a", "b", "c"}) add(name, 2);
  ASSERT_TRUE(cluster.wait_until_whole());
  add("d", 2);
  EXPECT_TRUE(says("a", "refused node d at "));
  EXPECT_TRUE(says("a", "this node knows 2 others already, and registry.max_peers is 2"));
  EXPECT_TRUE(says("d", "node a knows 2 others already, which is the most that its registry.max_peers (2) allows"));
  EXPECT_EQ(states_of(cluster["d"]), Json({{"d", "self"}}));
  EXPECT_EQ(states_of(cluster["a"]).size(), 3u);
  cluster["c"].stop();
  EXPECT_TRUE(cluster.wait_until_whole()) << "d has come in its place";
}

std::size_t descriptors_of(TestHost& host) {
  const auto all = std::filesystem::directory_iterator("/proc/" + std::to_string(host.process().pid()) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST_F(MaxPeers, APeerTakesAsManyDescriptorsAsTheLimitIsReckonedBy) {
  add("a", 10);
  add("b", 10);
  ASSERT_TRUE(cluster.wait_until_whole());
  const std::size_t before = descriptors_of(cluster["a"]);
  for (const char* name : {"c", "d", "e"}) add(name, 10);
  ASSERT_TRUE(cluster.wait_until_whole());
  EXPECT_TRUE(eventually([&] {
    return descriptors_of(cluster["a"]) == before + 3 * registry::net::kDescriptorsPerPeer;
  })) << before
      << " with one peer, with four " << descriptors_of(cluster["a"]);
}

/// A host with the usual configuration, under a limit that the shell sets.
struct Limited {
  explicit Limited(const std::string& limit) : process(command(limit)) {}

  Command command(const std::string& limit) const {
    Command out;
    out.arguments = {"sh",        "-c",        limit + "; exec \"$@\"", "sh",        tested::busbard(), "--node",
                     "a",         "--plugins", host.plugins(),          "--run-dir", host.run_dir(),    "--state-dir",
                     host.state()};
    out.scratch = host.root() / "said";
    return out;
  }
  bool is_ready() const {
    return eventually([&] { return process.err().find("host: ready") != std::string::npos; });
  }
  /// The kernel's line: soft limit, hard limit.
  std::string descriptors() const {
    std::ifstream limits("/proc/" + std::to_string(process.pid()) + "/limits");
    for (std::string line; std::getline(limits, line);) {
      if (line.starts_with("Max open files")) return line;
    }
    return {};
  }
  void stop() {
    process.signal(SIGTERM);
    EXPECT_TRUE(process.wait());
  }

  TestHost host;
  Process process;
};

const std::string kNeeded =
    std::to_string(registry::net::descriptors_for(kUsualMaxPeers, registry::net::DoorLimits{}.strangers));

TEST(Descriptors, ThatSoManyNodesTakeAreAllowedFromTheStart) {
  Limited host("ulimit -Sn 300");
  ASSERT_TRUE(host.is_ready());
  EXPECT_THAT(host.descriptors(), HasSubstr(" " + kNeeded + " "));
  EXPECT_THAT(host.process.err(), Not(HasSubstr("descriptors")));
  host.stop();
}

TEST(Descriptors, ThatTheHardLimitDoesNotAllowAreToldOfWithWhatToDo) {
  Limited host("ulimit -n 400");
  ASSERT_TRUE(host.is_ready());
  EXPECT_THAT(host.process.err(),
              HasSubstr("fewer descriptors are allowed than registry.max_peers and limits.strangers"));
  EXPECT_THAT(host.process.err(), HasSubstr("needed=" + kNeeded + " allowed=400"));
  EXPECT_THAT(host.process.err(), HasSubstr("LimitNOFILE"));
  host.stop();
}

// Nobody needs a key to hold connections open.
TEST(Descriptors, StrangersDoNotTakeAllOfThem) {
  Limited host("ulimit -n 400");
  ASSERT_TRUE(host.is_ready());
  const Json cluster = host.host.ask({"status"}).json["cluster"];
  for (const char* plane : {"address", "registry_address"}) {
    RawConnections half(cluster[plane]);
    for (int i = 0; i < 500; ++i) half.open(zmtp_greeting("NULL"));
    EXPECT_TRUE(eventually([&] { return half.ended() >= 440; })) << plane;
    EXPECT_EQ(host.host.ask({"status"}).json["ready"], true);
  }
  const Json turned_away = host.host.ask({"status"}).json["cluster"]["security"]["turned_away"];
  EXPECT_GT(turned_away["too_many"], 800) << turned_away;
  EXPECT_THAT(host.process.err(), Not(HasSubstr("no descriptor")));
  host.stop();
}

}  // namespace
}  // namespace busbar::system_tests
