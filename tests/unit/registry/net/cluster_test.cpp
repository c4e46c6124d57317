// Clusters over real sockets on the loopback, each node with a registry of its own.
#include <busbar/registry/cluster.hpp>
#include <busbar/registry/net/address.hpp>
#include <busbar/registry/net/socket.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/eventually.hpp"
#include "unit/registry/net/cluster_node.hpp"

namespace busbar::registry {
namespace {

using namespace std::chrono_literals;
using busbar::testing::ClusterNode;
using busbar::testing::eventually;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Names = std::vector<std::string>;

bool know_each_other(const ClusterNode& a, const ClusterNode& b, const std::string& a_name, const std::string& b_name) {
  return eventually([&] {
    const Names of_a = a.knows(), of_b = b.knows();
    return std::find(of_a.begin(), of_a.end(), b_name) != of_a.end() &&
           std::find(of_b.begin(), of_b.end(), a_name) != of_b.end();
  });
}

bool comes_to_offer(const ClusterNode& node, const std::string& service, const Names& providers) {
  return eventually([&] { return node.providers(service) == providers; });
}

// Where nobody answers: nodes of these tests listen on 127.0.0.1.
constexpr const char* kElsewhere = "127.0.0.2";

// A node in a process of its own.
class Child {
 public:
  Child(const std::string& name, const std::string& seed, std::uint64_t incarnation, const std::string& service,
        const std::string& advertise = {}) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipes");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    const std::string number = std::to_string(incarnation);
    const char* arguments[] = {BUSBAR_CLUSTER_CHILD, name.c_str(),      seed.c_str(), number.c_str(),
                               service.c_str(),      advertise.c_str(), nullptr};
    const int error =
        ::posix_spawn(&pid_, BUSBAR_CLUSTER_CHILD, &actions, nullptr, const_cast<char**>(arguments), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    for (char byte; error == 0 && ::read(out[0], &byte, 1) == 1 && byte != '\n';) address_.push_back(byte);
    ::close(out[0]);
  }
  ~Child() {
    ::close(input_);  // it ends by itself
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  const std::string& address() const { return address_; }
  void signal(int number) const { ::kill(pid_, number); }
  /// Until SIGCONT. When this returns it stands: its threads run on for a moment.
  void freeze() const {
    signal(SIGSTOP);
    ::waitpid(pid_, nullptr, WUNTRACED);
  }
  void kill() {
    signal(SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  std::string address_;
};

TEST(Clusters, TwoNodesThatMeetThroughASeedKnowEachOthersServices) {
  ClusterNode a("a");
  a.offer("p", {"of_a"});
  ClusterNode b("b", {a.address()});
  b.offer("p", {"of_b"});
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  ASSERT_TRUE(comes_to_offer(b, "of_a", {"a"}));
  EXPECT_TRUE(eventually([&] { return b.cluster().introduced(); }));
  EXPECT_TRUE(a.cluster().introduced()) << "without seeds there is nobody to wait for";
  EXPECT_THAT(a.told().joined, ElementsAre("b"));
  EXPECT_THAT(b.told().joined, ElementsAre("a"));
}

TEST(Clusters, C_G1_ThreeNodesThatKnowOneSeedAllKnowEachOther) {
  ClusterNode a("a");
  ClusterNode b("b", {a.address()});
  ClusterNode c("c", {a.address()});
  EXPECT_TRUE(know_each_other(a, b, "a", "b"));
  EXPECT_TRUE(know_each_other(a, c, "a", "c"));
  EXPECT_TRUE(know_each_other(b, c, "b", "c"));
  b.offer("p", {"shared"});
  c.offer("p", {"shared"});
  EXPECT_TRUE(comes_to_offer(a, "shared", {"b", "c"}));
  EXPECT_TRUE(comes_to_offer(b, "shared", {"c"}));
  EXPECT_TRUE(comes_to_offer(c, "shared", {"b"}));
}

TEST(Clusters, ANameThatIsLookedUpForLongKeepsUpNeitherTheOtherSeedsNorTheEnd) {
  const auto released = std::make_shared<std::latch>(1);
  ClusterNode a("a");
  auto options = ClusterNode::options("b", {"tcp://hangs.test:1", a.address()});
  options.lookup = [released](const std::string&) {
    released->wait();
    return net::Hosts{};
  };
  {
    ClusterNode b(options);
    b.cluster().start();
    EXPECT_TRUE(know_each_other(a, b, "a", "b"));
    EXPECT_TRUE(eventually([&] { return b.cluster().introduced(); }));
    a.offer("p", {"of_a"});
    EXPECT_TRUE(comes_to_offer(b, "of_a", {"a"}));
  }
  EXPECT_TRUE(eventually([&] { return a.knows().empty(); }));
  released->count_down();
}

TEST(Clusters, ASeedThatIsANameIsReachedAtWhicheverOfItsAddressesItIs) {
  ClusterNode a("a");
  auto options = ClusterNode::options("b", {net::with_host(a.address(), "seed.test")});
  std::atomic<int> asked{0};
  options.lookup = [&asked](const std::string& name) {
    EXPECT_EQ(name, "seed.test");
    return ++asked < 3 ? net::Hosts{{}, "not yet"} : net::Hosts{{kElsewhere, "127.0.0.1"}, ""};
  };
  ClusterNode b(options);
  b.cluster().start();
  EXPECT_TRUE(know_each_other(a, b, "a", "b"));
  EXPECT_TRUE(b.warned_of("seed.test"));
}

TEST(Clusters, ANodeThatAdvertisesANameIsDialledAtOneOfItsAddresses) {
  auto options = ClusterNode::options("a");
  options.advertise = "a.test";
  ClusterNode a(options);
  a.cluster().start();
  const auto joining = [](const std::string& name, const std::string& seed) {
    auto out = ClusterNode::options(name, {seed});
    out.heartbeat = 20ms;
    out.lookup = [](const std::string& host) {
      return host == "a.test" ? net::Hosts{{kElsewhere, "127.0.0.1"}, ""} : net::Hosts{{}, "no such name"};
    };
    return out;
  };
  ClusterNode b(joining("b", net::with_host(a.address(), "127.0.0.1")));
  b.cluster().start();
  ASSERT_TRUE(know_each_other(a, b, "a", "b"));
  ClusterNode c(joining("c", b.address()));  // hears of a's name from b
  c.cluster().start();
  EXPECT_TRUE(know_each_other(a, c, "a", "c"));
  EXPECT_TRUE(eventually([&] {
    const auto rows = c.cluster().rows();
    return std::any_of(rows.begin(), rows.end(),
                       [](const auto& row) { return row.name == "a" && row.round_trip > 0us; });
  })) << "its heartbeats are answered: its own connection stands";
}

TEST(Clusters, C_G1_ServicesAppearAndDisappearElsewhereAsTheyDoHere) {
  // So far apart that no heartbeat tells of anything: the announcement does.
  const auto taciturn = [](ClusterOptions options) {
    options.heartbeat = 5min;
    options.lost_after = 1h;
    return options;
  };
  ClusterNode a(taciturn(ClusterNode::options("a")));
  a.cluster().start();
  ClusterNode b(taciturn(ClusterNode::options("b", {a.address()})));
  b.cluster().start();
  ASSERT_TRUE(know_each_other(a, b, "a", "b"));
  for (int i = 0; i < 20; ++i) {
    const std::string name = "service_" + std::to_string(i);
    a.offer("p", {name});
    ASSERT_TRUE(comes_to_offer(b, name, {"a"}));
  }
  EXPECT_THAT(b.providers("service_18"), IsEmpty()) << "C-G2: a record is replaced whole";
  a.registry().withdraw_router("p");
  EXPECT_TRUE(comes_to_offer(b, "service_19", {}));
}

TEST(Clusters, ANodeThatIsReachedInAnotherWayStaysAMember) {
  ClusterNode a("a");
  std::optional<ClusterNode> b;
  b.emplace("b", Names{a.address()});
  b->offer("p", {"x"});
  ASSERT_TRUE(comes_to_offer(a, "x", {"b"}));
  const auto before = a.reached("b");
  const auto now = std::make_shared<busbar::testing::ReachedNode>("b", before->incarnation(), true);
  a.cluster().replace(before, now);
  ASSERT_TRUE(eventually([&] { return a.told().unused.size() == 1; }));
  EXPECT_EQ(a.told().unused.front(), before);
  EXPECT_EQ(a.reached("b"), now);
  EXPECT_EQ(a.providers("x"), Names{"b"});
  before->set_routable(false);
  EXPECT_TRUE(eventually([&] { return a.cluster().rows().at(1).state == NodeState::up; })) << "by the new way";
  b->offer("p", {"x", "y"});
  EXPECT_TRUE(comes_to_offer(a, "y", {"b"})) << "what it says later is of the new way";
  EXPECT_THAT(a.told().left, IsEmpty());
  b.reset();
  ASSERT_TRUE(eventually([&] { return a.told().left.size() == 1; }));
  const auto late = std::make_shared<busbar::testing::ReachedNode>("b", before->incarnation(), true);
  a.cluster().replace(now, late);
  ASSERT_TRUE(eventually([&] { return a.told().unused.size() == 2; }));
  EXPECT_EQ(a.told().unused.back(), late) << "that node has gone";
  EXPECT_EQ(a.reached("b"), nullptr);
}

TEST(Clusters, C_G1_ANodeThatJoinsLaterLearnsWhatIsOffered) {
  ClusterNode a("a");
  a.offer("p", {"x", "y"});
  ClusterNode b("b", {a.address()});
  ASSERT_TRUE(comes_to_offer(b, "x", {"a"}));
  ClusterNode c("c", {b.address()});
  EXPECT_TRUE(comes_to_offer(c, "x", {"a"}));
  EXPECT_TRUE(comes_to_offer(c, "y", {"a"}));
}

TEST(Clusters, C_R1_PrivateServicesAreNeverAnnounced) {
  ClusterNode a("a");
  a.offer("p", {"hidden"}, Visibility::private_);
  ClusterNode b("b", {a.address()});
  a.offer("q", {"shown"});
  ASSERT_TRUE(comes_to_offer(b, "shown", {"a"}));
  EXPECT_THAT(b.providers("hidden"), IsEmpty());
}

TEST(Clusters, C_G4_ANodeThatStopsIsGoneEverywhereAtOnceAndForgetsTheOthers) {
  ClusterNode a("a");
  auto options = ClusterNode::options("b", {a.address()});
  options.lost_after = 1h;  // it is the goodbye that tells
  ClusterNode b(options);
  b.cluster().start();
  a.offer("p", {"of_a"});
  b.offer("p", {"of_b"});
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  ASSERT_TRUE(comes_to_offer(b, "of_a", {"a"}));
  b.cluster().stop();
  EXPECT_TRUE(comes_to_offer(a, "of_b", {}));
  // By its goodbye; or, should that be read later, by the end of the connection.
  EXPECT_TRUE(eventually([&] { return a.told().left.size() == 1; }));
  EXPECT_TRUE(eventually([&] { return a.knows().empty(); }));
  EXPECT_THAT(b.providers("of_a"), IsEmpty());
  EXPECT_THAT(b.told().left, ElementsAre("a: this node leaves the cluster"));
  EXPECT_THAT(b.knows(), IsEmpty());
}

/// So many others have answered on the connections that are opened to them: from then on they are waited for.
bool has_links(ClusterNode& node, std::size_t count) {
  return eventually([&] {
    std::size_t answered = 0;
    for (const NodeRow& row : node.cluster().rows()) answered += row.round_trip.count() > 0 ? 1 : 0;
    return answered == count;
  });
}

TEST(Clusters, C_G4_AWithdrawalThatIsAcknowledgedIsKnownEverywhere) {
  ClusterNode a("a");
  ClusterNode b("b", {a.address()});
  ClusterNode c("c", {a.address()});
  a.offer("p", {"of_a"});
  ASSERT_TRUE(comes_to_offer(b, "of_a", {"a"}));
  ASSERT_TRUE(comes_to_offer(c, "of_a", {"a"}));
  ASSERT_TRUE(has_links(a, 2));
  a.registry().announce_nothing();
  ASSERT_TRUE(a.cluster().wait_acknowledged(busbar::testing::kFarAway));
  EXPECT_THAT(b.providers("of_a"), IsEmpty());
  EXPECT_THAT(c.providers("of_a"), IsEmpty());
}

TEST(Clusters, C_G4_OneThatDoesNotAcknowledgeIsNotWaitedForLonger) {
  ClusterNode a("a");
  const Child child("b", a.address(), 1, "of_b");
  a.offer("p", {"of_a"});
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  ASSERT_TRUE(has_links(a, 1));
  ASSERT_TRUE(a.cluster().wait_acknowledged(busbar::testing::kFarAway));
  child.freeze();
  a.registry().announce_nothing();
  EXPECT_FALSE(a.cluster().wait_acknowledged(50ms));
  child.signal(SIGCONT);
  EXPECT_TRUE(a.cluster().wait_acknowledged(busbar::testing::kFarAway));
}

TEST(Clusters, C_G4_WhereNobodyIsConnectedNobodyIsWaitedFor) {
  ClusterNode a("a");
  a.offer("p", {"of_a"});
  a.registry().announce_nothing();
  EXPECT_TRUE(a.cluster().wait_acknowledged(busbar::testing::kFarAway));
  a.cluster().stop();
  EXPECT_TRUE(a.cluster().wait_acknowledged(busbar::testing::kFarAway));
  ClusterNode never_started(ClusterNode::options("b"));
  EXPECT_TRUE(never_started.cluster().wait_acknowledged(busbar::testing::kFarAway));
}

TEST(Clusters, C_G4_ANodeThatStoppedComesBackUnderItsName) {
  ClusterNode a("a");
  {
    ClusterNode b("b", {a.address()}, 1);
    b.offer("p", {"first"});
    ASSERT_TRUE(comes_to_offer(a, "first", {"b"}));
  }
  ClusterNode b("b", {a.address()}, 2);
  b.offer("p", {"second"});
  EXPECT_TRUE(comes_to_offer(a, "second", {"b"}));
  EXPECT_THAT(a.providers("first"), IsEmpty());
  EXPECT_EQ(a.registry().find_node("b")->incarnation(), 2U);
}

TEST(Clusters, C_G7_ASecondLiveNodeOfOneNameIsRefusedInWords) {
  ClusterNode a("a");
  ClusterNode b("b", {a.address()}, 5);
  b.offer("p", {"of_b"});
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  ClusterNode twin("b", {a.address()}, 6);
  ASSERT_TRUE(eventually([&] { return !twin.told().refusals.empty(); }));
  EXPECT_THAT(twin.told().refusals[0], HasSubstr("the name \"b\" is held by another live node, at " + b.address()));
  EXPECT_TRUE(a.warned_of("refused a second node named b"));
  EXPECT_THAT(a.providers("of_b"), ElementsAre("b"));
  EXPECT_THAT(a.told().left, IsEmpty());
  EXPECT_THAT(twin.knows(), IsEmpty());
}

TEST(Clusters, C_G9_ANodeWhoseIncarnationIsBehindTakesAHigherOneAndSaysSo) {
  ClusterNode a("a");
  {
    ClusterNode b("b", {a.address()}, 100);
    ASSERT_TRUE(know_each_other(a, b, "a", "b"));
  }
  ASSERT_TRUE(eventually([&] { return a.knows().empty(); }));
  ClusterNode b("b", {a.address()}, 7);
  ASSERT_TRUE(know_each_other(a, b, "a", "b"));
  EXPECT_THAT(b.told().raised, ElementsAre(101U));
  EXPECT_EQ(b.cluster().incarnation(), 101U);
  EXPECT_EQ(a.registry().find_node("b")->incarnation(), 101U);
}

TEST(Clusters, C_G4_AKilledNodeIsNoticedByItsConnectionAndNotByItsSilence) {
  auto options = ClusterNode::options("a");
  options.heartbeat = 50ms;
  options.lost_after = 1h;
  ClusterNode a(options);
  a.cluster().start();
  Child child("b", a.address(), 1, "of_b");
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  const auto link_is_up = [&] {
    const auto rows = a.cluster().rows();
    return rows.size() == 2 && rows[1].round_trip.count() > 0;
  };
  ASSERT_TRUE(eventually(link_is_up));
  child.kill();
  EXPECT_TRUE(comes_to_offer(a, "of_b", {}));
  EXPECT_TRUE(eventually([&] { return a.told().left == Names{"b: its connection ended: disconnected"}; }));
}

TEST(Clusters, C_G4_AKilledNodeThatThisOneCannotDialIsNoticedByItsOwnConnection) {
  auto options = ClusterNode::options("a");
  options.lost_after = 1h;
  ClusterNode a(options);
  a.cluster().start();
  Child child("b", a.address(), 1, "of_b", kElsewhere);
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  child.kill();
  EXPECT_TRUE(comes_to_offer(a, "of_b", {}));
  EXPECT_TRUE(eventually([&] { return a.told().left == Names{"b: its connection to this node ended"}; }));
}

TEST(Clusters, C_G4_AGoodbyeIsReadBeforeTheEndOfItsConnectionIsTold) {
  ClusterNode a("a");
  auto options = ClusterNode::options("b", {a.address()});
  options.advertise = kElsewhere;
  ClusterNode b(options);
  b.offer("p", {"of_b"});
  b.cluster().start();
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  b.cluster().stop();
  EXPECT_TRUE(eventually([&] { return !a.told().left.empty(); }));
  EXPECT_THAT(a.told().left, ElementsAre("b: it said goodbye"));
}

TEST(Clusters, C_G4_AStoppedNodeIsNoticedByItsSilenceAndComesBack) {
  auto options = ClusterNode::options("a");
  options.heartbeat = 100ms;
  options.lost_after = 400ms;
  ClusterNode a(options);
  a.cluster().start();
  Child child("b", a.address(), 1, "of_b");
  ASSERT_TRUE(comes_to_offer(a, "of_b", {"b"}));
  child.signal(SIGSTOP);
  EXPECT_TRUE(comes_to_offer(a, "of_b", {}));
  child.signal(SIGCONT);
  EXPECT_TRUE(comes_to_offer(a, "of_b", {"b"})) << "it introduces itself anew";
}

TEST(Clusters, C_G7_AQuickRestartReplacesTheOneThatWasKilled) {
  ClusterNode a("a");
  Child first("b", a.address(), 1, "first");
  ASSERT_TRUE(comes_to_offer(a, "first", {"b"}));
  first.kill();
  Child second("b", a.address(), 2, "second");
  EXPECT_TRUE(comes_to_offer(a, "second", {"b"}));
  EXPECT_THAT(a.providers("first"), IsEmpty());
  EXPECT_THAT(a.told().joined, ElementsAre("b", "b"));
}

TEST(Clusters, C_G7_ANodeThatHangsIsReplacedByItsRestart) {
  auto options = ClusterNode::options("a");
  options.lost_after = 1h;  // so that only the ping tells
  ClusterNode a(options);
  a.cluster().start();
  Child first("b", a.address(), 1, "first");
  ASSERT_TRUE(comes_to_offer(a, "first", {"b"}));
  first.signal(SIGSTOP);
  Child second("b", a.address(), 2, "second");
  EXPECT_TRUE(comes_to_offer(a, "second", {"b"}));
  EXPECT_THAT(a.providers("first"), IsEmpty());
  first.kill();
}

TEST(Clusters, ASeedMayStartLater) {
  std::string directory = ::testing::TempDir() + "busbar-cluster-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string seed = "ipc://" + directory + "/a";
  {
    ClusterNode b("b", {seed});
    ASSERT_TRUE(eventually([&] { return b.cluster().introduced(); })) << "it has been tried";
    EXPECT_THAT(b.knows(), IsEmpty());
    auto options = ClusterNode::options("a");
    options.listen = seed;
    ClusterNode a(options);
    EXPECT_EQ(a.address(), seed);
    a.cluster().start();
    EXPECT_TRUE(know_each_other(a, b, "a", "b"));
  }
  std::filesystem::remove_all(directory);
}

TEST(Clusters, ASeedThatIsThisNodeIsPassedOver) {
  auto options = ClusterNode::options("a");
  std::string directory = ::testing::TempDir() + "busbar-cluster-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  options.listen = "ipc://" + directory + "/a";
  options.seeds = {options.listen};
  {
    ClusterNode a(options);
    a.cluster().start();
    EXPECT_TRUE(eventually([&] { return a.cluster().introduced(); }));
    EXPECT_THAT(a.knows(), IsEmpty());
    EXPECT_THAT(a.told().refusals, IsEmpty());
  }
  std::filesystem::remove_all(directory);
}

TEST(Clusters, ANodeOfAnotherClusterIsRefusedInWords) {
  ClusterNode a("a");
  auto options = ClusterNode::options("b", {a.address()});
  options.cluster = "staging";
  ClusterNode b(options);
  b.cluster().start();
  EXPECT_TRUE(eventually([&] { return a.warned_of("cluster \"staging\"") && b.warned_of("cluster \"busbar\""); }));
  EXPECT_THAT(a.knows(), IsEmpty());
  EXPECT_THAT(b.knows(), IsEmpty());
}

TEST(Clusters, RubbishFromOutsideIsToldAndDoesNoHarm) {
  ClusterNode a("a");
  ClusterNode b("b", {a.address()});
  ASSERT_TRUE(know_each_other(a, b, "a", "b"));
  zmq::context_t context = net::make_context(1, 16);
  zmq::socket_t stranger = net::make_dealer(context, {});
  stranger.connect(a.address());
  const auto send = [&](std::string_view bytes, zmq::send_flags flags = zmq::send_flags::dontwait) {
    return eventually([&] { return stranger.send(zmq::buffer(bytes), flags | zmq::send_flags::dontwait).has_value(); });
  };
  for (const std::string& bytes :
       {std::string(), std::string("\0", 1), std::string("hello"), std::string(100'000, '\xFF'),
        std::string("\xA1\x64type\x65hello"), std::string("\xBB\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}) {
    ASSERT_TRUE(send(bytes));
  }
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(send("frame", zmq::send_flags::sndmore));
  ASSERT_TRUE(send("the last of a thousand"));
  EXPECT_TRUE(eventually([&] { return a.warned_of("several frames"); }));
  EXPECT_TRUE(a.warned_of("a broken message from somebody who has not said hello"));
  a.offer("p", {"still_there"});
  EXPECT_TRUE(comes_to_offer(b, "still_there", {"a"}));
  EXPECT_THAT(a.told().left, IsEmpty());
}

TEST(Clusters, ASeedThatAnswersRubbishIsToldAndNotJoined) {
  zmq::context_t context = net::make_context(1, 16);
  zmq::socket_t stranger = net::make_router(context, "tcp://127.0.0.1:*", {});
  ClusterNode a("a", {net::bound_address(stranger)});
  zmq::message_t id, hello;
  ASSERT_TRUE(stranger.recv(id));
  ASSERT_TRUE(stranger.recv(hello));
  ASSERT_TRUE(stranger.send(id, zmq::send_flags::sndmore));
  ASSERT_TRUE(stranger.send(zmq::buffer("not for you", 11), zmq::send_flags::dontwait));
  EXPECT_TRUE(eventually([&] { return a.warned_of("a broken message from " + net::bound_address(stranger)); }));
  EXPECT_THAT(a.knows(), IsEmpty());
}

TEST(Clusters, RowsTellWhatCanBeReached) {
  ClusterNode a(ClusterNode::options("a"), false);
  a.cluster().start();
  ClusterNode b("b", {a.address()}, 42);
  b.offer("p", {"x", "y"});
  const auto row = [&](std::size_t i) { return a.cluster().rows().at(i); };
  ASSERT_TRUE(eventually([&] { return a.cluster().rows().size() == 2 && row(1).services == 2; }));
  EXPECT_EQ(row(0).name, "a");
  EXPECT_EQ(row(0).state, NodeState::self);
  EXPECT_EQ(row(0).registry_address, a.address());
  EXPECT_EQ(row(1).name, "b");
  EXPECT_EQ(row(1).incarnation, 42U);
  EXPECT_EQ(row(1).registry_address, b.address());
  EXPECT_EQ(row(1).call_address, "tcp://127.0.0.1:1");
  EXPECT_GE(row(1).since, row(0).since);
  EXPECT_EQ(row(1).state, NodeState::joining);
  EXPECT_THAT(a.providers("x"), IsEmpty());

  a.reached("b")->set_routable(true);
  a.cluster().routability_changed();
  EXPECT_THAT(a.providers("x"), ElementsAre("b")) << "at once, on this thread";
  a.reached("b")->set_routable(false);
  a.cluster().routability_changed();
  EXPECT_THAT(a.providers("x"), IsEmpty());
  EXPECT_EQ(row(1).state, NodeState::unreachable);
  const auto unreachable_since = row(1).state_since;
  EXPECT_GT(unreachable_since, row(1).since);
  EXPECT_EQ(row(1).state_since, unreachable_since) << "not since it was looked at";
  a.reached("b")->set_routable(true);
  EXPECT_EQ(row(1).state, NodeState::up);
  EXPECT_TRUE(eventually([&] { return row(1).round_trip.count() > 0; })) << "no heartbeat was answered";
}

TEST(Clusters, RowsTellWhichRecordIsKnownAndSinceWhen) {
  ClusterNode a("a");
  ClusterNode b("b", {a.address()});
  const auto row = [&](std::size_t i) { return a.cluster().rows().at(i); };
  ASSERT_TRUE(eventually([&] { return a.cluster().rows().size() == 2; }));
  const NodeRow before = row(1);
  b.offer("p", {"x"});
  ASSERT_TRUE(comes_to_offer(a, "x", {"b"}));
  ASSERT_TRUE(eventually([&] { return row(1).version > before.version; }));
  EXPECT_EQ(row(1).since, before.since);
  EXPECT_GT(row(1).version_since, before.version_since);
  EXPECT_TRUE(eventually([&] { return row(1).version == b.cluster().rows().at(0).version; }));
  a.offer("p", {"y"});
  ASSERT_TRUE(eventually([&] { return row(0).version > 1; }));
  EXPECT_GT(row(0).version_since, row(0).since);
}

TEST(Clusters, WhoHasLeftIsToldWithWhenAndWhyUntilItIsBack) {
  ClusterNode a("a");
  const auto before = std::chrono::system_clock::now() - 1s;  // two clocks are read for one moment
  {
    ClusterNode b("b", {a.address()}, 42);
    ASSERT_TRUE(know_each_other(a, b, "a", "b"));
    EXPECT_THAT(a.cluster().departed(), IsEmpty());
  }
  ASSERT_TRUE(eventually([&] { return a.cluster().departed().size() == 1; }));
  const DepartedRow gone = a.cluster().departed()[0];
  EXPECT_EQ(gone.name, "b");
  EXPECT_EQ(gone.incarnation, 42U);
  EXPECT_THAT(a.told().left, ElementsAre("b: " + gone.reason));
  EXPECT_EQ(gone.may_return, gone.reason != "it said goodbye") << "which may be lost with its connection";
  EXPECT_GE(gone.since, before);
  EXPECT_LE(gone.since, std::chrono::system_clock::now() + 1s);
  const ClusterNode again("b", {a.address()}, 43);
  EXPECT_TRUE(eventually([&] { return a.cluster().departed().empty() && a.knows() == Names{"b"}; }));
}

TEST(Clusters, WhatWasReachedIsUnreachableAfterwardsAlsoWhenNobodyHasLookedMeanwhile) {
  ClusterNode a("a");
  ClusterNode b("b", {a.address()});
  b.offer("p", {"x"});
  ASSERT_TRUE(comes_to_offer(a, "x", {"b"}));
  b.offer("p", {"y"});
  ASSERT_TRUE(comes_to_offer(a, "y", {"b"})) << "before it has learnt of this, its rows have told of b";
  a.reached("b")->set_routable(false);
  a.cluster().routability_changed();
  EXPECT_EQ(a.cluster().rows().at(1).state, NodeState::unreachable);
}

TEST(Clusters, StopWhileServicesComeAndGo) {
  for (int round = 0; round < 5; ++round) {
    ClusterNode a("a");
    ClusterNode b("b", {a.address()});
    ClusterNode c("c", {a.address()});
    std::atomic<bool> over{false};
    std::vector<std::thread> busy;
    for (ClusterNode* node : {&a, &b, &c}) {
      busy.emplace_back([&, node] {
        for (int i = 0; !over; ++i) {
          node->offer("p", {"service_" + std::to_string(i % 100)});
          static_cast<void>(node->cluster().rows());
          node->cluster().routability_changed();
        }
      });
    }
    ASSERT_TRUE(know_each_other(b, c, "b", "c"));
    b.cluster().stop();
    a.cluster().stop();
    c.cluster().stop();
    c.cluster().stop();  // does nothing
    over = true;
    for (auto& thread : busy) thread.join();
    for (ClusterNode* node : {&a, &b, &c}) EXPECT_EQ(node->registry().facts().nodes, 0U);
  }
}

TEST(Clusters, OneThatWasNeverStartedEndsToo) {
  ClusterNode a(ClusterNode::options("a"));
  EXPECT_TRUE(net::is_address(a.address(), false)) << a.address();
  EXPECT_EQ(a.cluster().rows().size(), 1U);
  a.cluster().stop();
  a.cluster().start();  // too late: does nothing
  EXPECT_EQ(a.cluster().rows().size(), 1U);
}

TEST(Clusters, AnAddressThatCannotBeBoundIsAnErrorInWords) {
  ClusterNode a("a");
  auto options = ClusterNode::options("b");
  for (const std::string& listen : {a.address(), std::string("nonsense")}) {
    options.listen = listen;
    try {
      ClusterNode b(options);
      FAIL() << listen;
    } catch (const ClusterError& error) {
      EXPECT_THAT(error.what(), HasSubstr(listen));
    }
  }
  options = ClusterNode::options("b");
  options.advertise = "no host";
  EXPECT_THROW(ClusterNode{options}, ClusterError);
}

TEST(Clusters, ANodeThatCannotBeCalledIsToldAndTheOthersGoOn) {
  class Throws final : public ClusterListener {
   public:
    std::shared_ptr<RemoteNode> node_joined(const NodeRecord&) override { throw std::runtime_error("no way there"); }
    void node_left(const std::shared_ptr<RemoteNode>&, std::string_view) override { FAIL() << "it was never reached"; }
    void refused(std::string_view) override {}
    void incarnation_raised(std::uint64_t) override {}
    void warn(std::string_view text) override {
      EXPECT_EQ(text, "node b cannot be called at tcp://127.0.0.1:1: no way there");
      warned.count_down();
    }
    std::latch warned{1};
  };
  Registry registry;
  Throws listener;
  {
    Cluster a(ClusterNode::options("a"), registry, listener);
    a.start();
    {
      ClusterNode b("b", {a.address()});
      listener.warned.wait();
      b.offer("p", {"x"});
      ASSERT_TRUE(eventually([&] { return a.rows().size() == 2 && a.rows()[1].services == 1; }));
      EXPECT_EQ(a.rows()[1].state, NodeState::joining);
      EXPECT_EQ(registry.facts().services, 0U);
    }
    EXPECT_TRUE(eventually([&] { return a.rows().size() == 1; }));
  }
}

}  // namespace
}  // namespace busbar::registry
