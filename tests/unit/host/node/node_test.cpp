// Nodes as objects, several in one process: each with its own sockets.
#include "node/node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <busbar/names.hpp>
#include <busbar/plugin.hpp>
#include <busbar/wire/admin.hpp>

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "admin/node_documents.hpp"
#include "dispatch/instance.hpp"
#include "support/eventually.hpp"

namespace busbar {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kFarAway;

constexpr std::chrono::milliseconds kLong = kFarAway;

struct Greet {
  std::string name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name));
  }
};

class Greeter final : public Router {
 public:
  Greeter() {
    service("greet", &Greeter::greet);
    private_service("secret", &Greeter::greet);
  }
  Authorization authorize(const Message&) override { return authorized(); }

 private:
  std::string greet(const Greet& request) { return "Hello, " + request.name + "!"; }
};

/// Takes so many calls.
class Limited final : public Router {
 public:
  Limited() {
    limit(4);
    service("narrow", &Limited::one).limit(1, 5).timeout(7s).sticky("name");
    service("broad", &Limited::one);
    service("inlined", &Limited::one).inlined();
  }

 private:
  int one(const Greet&) { return 1; }
};

/// A router that a node offers as long as this lives. The node is stopped before it.
template <class Offered = Greeter>
class Offer {
 public:
  explicit Offer(Node& node)
      : node_(node),
        instance_(std::make_shared<host::Instance>(host::InstanceFacts{"greeter", "1", 1}, node.dispatcher(),
                                                   host::Logger())) {
    router_ = RouterBinding::create<Offered>(&instance_->c_host(), nullptr);
    instance_->adopt(*router_);
    std::vector<std::shared_ptr<registry::LocalProvider>> services;
    for (host::Endpoint& endpoint : instance_->endpoints()) services.emplace_back(instance_, &endpoint);
    node.registry().register_router("greeter", std::move(services));
  }
  ~Offer() {
    node_.registry().withdraw_router("greeter");
    EXPECT_TRUE(eventually([&] { return instance_->quiet(); }));
    router_->destroy(router_->self);
  }

 private:
  Node& node_;
  std::shared_ptr<host::Instance> instance_;
  const busbar_router* router_ = nullptr;
};

NodeOptions named(std::string name, std::vector<std::string> join = {}) {
  NodeOptions options;
  options.name = std::move(name);
  options.join = std::move(join);
  options.pool.threads = 1;
  return options;
}

std::string refusal_of(const NodeOptions& options) {
  try {
    const Node node(options);
    return "it was made";
  } catch (const NodeError& error) {
    return error.what();
  }
}

// -- alone

TEST(Node, IsCalledAfterItsHostAndProcessWhereNothingElseIsSaid) {
  const Node node(named(""));
  EXPECT_TRUE(is_node_name(node.name())) << node.name();
  EXPECT_THAT(node.name(), HasSubstr("-" + std::to_string(getpid())));
}

TEST(Node, KnowsWhereItIsReachedAndIsItsOwnFirstMember) {
  Node node(named("a"));
  EXPECT_TRUE(node.address().starts_with("tcp://127.0.0.1:")) << node.address();
  EXPECT_TRUE(node.registry_address().starts_with("tcp://127.0.0.1:")) << node.registry_address();
  EXPECT_EQ(node.address().find('*'), std::string::npos);
  EXPECT_EQ(node.wait_joined(kLong), JoinState::joined) << "there is nobody to wait for";
  ASSERT_EQ(node.nodes().size(), 1u);
  EXPECT_EQ(node.nodes()[0].name, "a");
  EXPECT_EQ(node.nodes()[0].state, registry::NodeState::self);
}

TEST(Node, RefusesOptionsInWords) {
  EXPECT_THAT(refusal_of(named("no name")), HasSubstr("could not make node \"no name\""));
  NodeOptions options = named("a");
  options.cluster = "?";
  EXPECT_THAT(refusal_of(options), HasSubstr("cluster is \"?\", expected [A-Za-z0-9]"));
  options = named("a", {"somewhere"});
  EXPECT_THAT(refusal_of(options), HasSubstr("join is \"somewhere\", expected tcp://HOST:PORT"));
  options = named("a");
  options.listen = "tcp://0.0.0.0:*";
  EXPECT_THAT(refusal_of(options), HasSubstr("listen is \"tcp://0.0.0.0:*\", expected a loopback address"));
  EXPECT_THAT(refusal_of(options), HasSubstr("insecure"));
  EXPECT_THAT(refusal_of(named("a", {"tcp://10.0.0.1:1"})), HasSubstr("expected a loopback address"));
}

TEST(Node, RefusesNumbersThatNoPeerCouldLiveWith) {
  NodeOptions options = named("a");
  options.heartbeat = 0ms;
  EXPECT_THAT(refusal_of(options), HasSubstr("heartbeat in ms is 0, expected 10 to 1800000"));
  options = named("a");
  options.heartbeat = 2s;
  EXPECT_THAT(refusal_of(options), HasSubstr("lost_after in ms is 3000, expected 4000 to 3600000"));
  options = named("a");
  options.max_message = 1023;
  EXPECT_THAT(refusal_of(options), HasSubstr("max_message in bytes is 1023, expected 1024 to 1073741824"));
  options = named("a");
  options.peer_queue = 0;
  EXPECT_THAT(refusal_of(options), HasSubstr("peer_queue in bytes is 0, expected 1024 to"));
}

TEST(Node, C_G9_ItsIncarnationGrowsFromStartToStart) {
  std::string directory = (std::filesystem::temp_directory_path() / "busbar_node_XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  std::uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    NodeOptions options = named("a");
    options.state_dir = std::filesystem::path(directory) / "not yet there";
    const Node node(options);
    EXPECT_GT(node.incarnation(), last);
    last = node.incarnation();
  }
  std::filesystem::remove_all(directory);
}

TEST(Node, WaitsForAServiceUntilSomebodyProvidesIt) {
  Node node(named("a"));
  EXPECT_FALSE(node.wait_for("greet", 10ms));
  auto found = std::async(std::launch::async, [&] { return node.wait_for("greet", kLong); });
  {
    const Offer offer(node);
    EXPECT_TRUE(found.get());
    EXPECT_EQ(node.call<std::string>("greet", Greet{"you"}), "Hello, you!");
    node.stop();
  }
}

TEST(Node, ACallThatFailsSaysWithWhat) {
  Node node(named("a"));
  try {
    node.call<std::string>("greet", Greet{"you"});
    FAIL() << "nobody provides it";
  } catch (const CallFailed& failure) {
    EXPECT_STREQ(failure.what(), "could not call \"greet\": service_unavailable");
    EXPECT_EQ(failure.response().kind(), Response::Kind::service_unavailable);
  }
}

class FarAway final : public registry::RemoteNode {
 public:
  FarAway() : RemoteNode("far", 1) { set_routable(true); }
};

std::map<std::string, nlohmann::json> services_for(const Node& node, host::CallerIs caller) {
  std::map<std::string, nlohmann::json> rows;
  const nlohmann::json document = host::services_document(node, caller);
  for (const auto& row : document.at("services")) rows[row.at("name")] = row;
  return rows;
}

TEST(Node, C_R1_C_D12_ToldOfAreTheServicesThatWhoAsksCanCall) {
  Node node(named("n1"));
  const Offer offer(node);
  const auto far_away = std::make_shared<FarAway>();
  node.registry().put_node(far_away, {{"greet", "p"}, {"secret", "p"}});
  const auto both = nlohmann::json::array({"n1", "far"});
  auto here = services_for(node, host::CallerIs::here);
  EXPECT_EQ(here["greet"]["providers"], both);
  EXPECT_EQ(here["secret"]["visibility"], "private");
  EXPECT_EQ(here["secret"]["providers"], nlohmann::json::array({"n1"})) << "it hides the other";
  auto outside = services_for(node, host::CallerIs::outside);
  EXPECT_EQ(outside["greet"]["providers"], both);
  EXPECT_EQ(outside["secret"]["visibility"], "public");
  EXPECT_EQ(outside["secret"]["providers"], nlohmann::json::array({"far"})) << "the private one is not there";
  EXPECT_TRUE(host::describe_local(node, "secret", host::CallerIs::here));
  EXPECT_FALSE(host::describe_local(node, "secret", host::CallerIs::outside));
  node.registry().remove_node(far_away);
  EXPECT_FALSE(services_for(node, host::CallerIs::outside).contains("secret"));
}

TEST(Node, C_D3_C_D5_C_D15_DescribesWhatAServiceSaysOfItself) {
  Node node(named("n1"));
  const Offer<Limited> offer(node);
  const auto described = [&](const char* service) {
    return host::describe_local(node, service, host::CallerIs::outside).value();
  };
  const nlohmann::json narrow = described("narrow"), broad = described("broad");
  EXPECT_EQ(narrow["timeout_ms"], 7'000);
  EXPECT_EQ(narrow["strategy"], "sticky");
  EXPECT_EQ(narrow["sticky_field"], "name");
  EXPECT_EQ(narrow["max_running"], 1);
  EXPECT_EQ(narrow["max_queued"], 5);
  EXPECT_EQ(narrow["plugin_limit"], (nlohmann::json{{"max_running", 4}}));
  EXPECT_EQ(broad["timeout_ms"], 5'000);
  EXPECT_EQ(broad["strategy"], "random");
  for (const char* unsaid : {"sticky_field", "max_running", "max_queued"}) EXPECT_FALSE(broad.contains(unsaid));
  EXPECT_EQ(broad["plugin_limit"], narrow["plugin_limit"]);
  EXPECT_FALSE(described("inlined").contains("plugin_limit")) << "it does not count";
}

TEST(Node, StopsMoreThanOnceAndAlsoWithoutHavingStarted) {
  Node started(named("a"));
  started.stop();
  started.stop();
  const Node never_started(named("b"), Node::NotStarted{});
}

// -- with others

class Nodes : public ::testing::Test {
 protected:
  Node seed_{named("seed")};
  NodeOptions client(std::string name = "client") { return named(std::move(name), {seed_.registry_address()}); }
};

TEST_F(Nodes, AProgramIsAFullClientThroughASeed) {
  const Offer offer(seed_);
  Node node(client());
  EXPECT_EQ(node.wait_joined(kLong), JoinState::joined);
  ASSERT_TRUE(node.wait_for("greet", kLong));
  EXPECT_EQ(node.call<std::string>("greet", Greet{"you"}), "Hello, you!");
  ASSERT_EQ(node.discover("greet").size(), 1u);
  EXPECT_EQ(node.discover("greet")[0].node, "seed");
  std::promise<Message> answered;
  node.dispatch_async(Message::of("greet", Greet{"later"}),
                      [&](Message&& outcome) { answered.set_value(std::move(outcome)); });
  EXPECT_EQ(answered.get_future().get().response().value_as<std::string>(), "Hello, later!");
  seed_.stop();
}

TEST_F(Nodes, EachKnowsTheOther) {
  Node node(client());
  const auto names = [](const Node& whose) {
    std::vector<std::string> out;
    for (const auto& row : whose.nodes()) {
      if (row.state == registry::NodeState::up || row.state == registry::NodeState::self) out.push_back(row.name);
    }
    return out;
  };
  EXPECT_TRUE(eventually([&] { return names(node) == std::vector<std::string>{"client", "seed"}; }));
  EXPECT_TRUE(eventually([&] { return names(seed_) == std::vector<std::string>{"seed", "client"}; }));
  node.stop();
  EXPECT_TRUE(eventually([&] { return names(seed_) == std::vector<std::string>{"seed"}; })) << "it has said goodbye";
}

TEST_F(Nodes, WhoWaitsForAServiceIsWokenWhenAnotherNodeOffersIt) {
  Node node(client());
  auto found = std::async(std::launch::async, [&] { return node.wait_for("greet", kLong); });
  EXPECT_EQ(node.wait_joined(kLong), JoinState::joined);
  const Offer offer(seed_);
  EXPECT_TRUE(found.get());
  seed_.stop();
}

/// What `asker` is answered, as one member of another, to a question of this verb.
wire::AdminAnswer ask(Node& asker, const std::string& node, std::string_view verb) {
  wire::AdminRequest question;
  question.verb = verb;
  question.seq = 3;
  std::promise<Response> answered;
  asker.dispatcher().query_async(
      node, Payload::of(question), [&](const Message& outcome) { answered.set_value(outcome.response()); }, 60'000);
  const Response outcome = answered.get_future().get();
  EXPECT_TRUE(outcome.succeeded()) << outcome.text();
  return outcome.succeeded() ? outcome.value_as<wire::AdminAnswer>() : wire::AdminAnswer();
}

TEST_F(Nodes, AProgramTellsHowItSeesTheClusterAndNothingElse) {
  Node node(client());
  ASSERT_TRUE(eventually([&] { return node.nodes().size() == 2 && node.nodes()[1].state == registry::NodeState::up; }));
  const auto told = ask(node, "seed", wire::admin_verb::kNodes);
  EXPECT_EQ(told.seq, 3u);
  ASSERT_TRUE(told.document);
  const nlohmann::json rows = cbor::to_json(*told.document)["nodes"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["name"], "seed");
  EXPECT_EQ(rows[0]["state"], "self");
  EXPECT_EQ(rows[1]["name"], "client");
  const auto refused = ask(node, "seed", wire::admin_verb::kServices);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, code::kForbidden);
  EXPECT_THAT(refused.error->text, HasSubstr("node \"seed\" is a program that is a member"));
}

// C-G7
TEST_F(Nodes, ANameThatIsHeldIsRefusedInWordsAndEndsTheWaiting) {
  std::promise<std::string> refused;
  Node second(client("seed"), Node::NotStarted{});
  second.start({.refused = [&](std::string_view reason) { refused.set_value(std::string(reason)); }, .query = {}});
  EXPECT_FALSE(second.wait_for("greet", kLong));
  EXPECT_EQ(second.wait_joined(kLong), JoinState::refused);
  EXPECT_THAT(second.refusal(), HasSubstr("seed"));
  EXPECT_EQ(refused.get_future().get(), second.refusal());
  EXPECT_EQ(seed_.join_state(), JoinState::joined);
}

TEST_F(Nodes, ANodeOfAnotherClusterStaysByItself) {
  NodeOptions options = client();
  options.cluster = "elsewhere";
  const Node node(options);
  EXPECT_EQ(node.wait_joined(kLong), JoinState::joined) << "its one seed has been tried";
  EXPECT_EQ(node.nodes().size(), 1u);
  EXPECT_EQ(seed_.nodes().size(), 1u);
}

TEST_F(Nodes, TellsOfNodesThatComeAndGo) {
  struct Seen : host::Observer {
    void on_event(const host::Event& event) noexcept override {
      const MutexLock lock(mutex);
      seen.push_back(std::string(host::name_of(event.kind)) + " " + std::string(event.node));
    }
    bool holds(const std::string& what) {
      const MutexLock lock(mutex);
      return std::count(seen.begin(), seen.end(), what) == 1;
    }
    Mutex mutex;
    std::vector<std::string> seen;
  };
  const auto seen = std::make_shared<Seen>();
  seed_.events().subscribe(seen,
                           host::mask_of(host::EventKind::node_joined) | host::mask_of(host::EventKind::node_left));
  {
    const Node node(client());
    EXPECT_TRUE(eventually([&] { return seen->holds("node_joined client"); }));
  }
  EXPECT_TRUE(eventually([&] { return seen->holds("node_left client"); }));
}

// -- leaving

TEST_F(Nodes, C_G4_OneThatHasWithdrawnIsOfferedNowhereAndServesWhatComesAllTheSameNot) {
  const Offer offer(seed_);
  Node node(client());
  ASSERT_TRUE(node.wait_for("greet", kLong));
  seed_.withdraw(host::now_ns() + host::kSecond);
  // Whether it was acknowledged in time depends on the machine; if so, it is known here by now.
  EXPECT_TRUE(eventually([&] { return node.discover("greet").empty(); }));
  Message message = Message::of("greet", Greet{"you"});
  node.dispatcher().dispatch(message, {10'000, "seed"});
  EXPECT_TRUE(message.response().is_error(code::kNoNodesAvailable)) << message.response().text();
  EXPECT_THAT(message.response().value().to_json().dump(), HasSubstr("stopping"));
  seed_.stop();
}

TEST_F(Nodes, C_D18_C_G4_OneThatStopsSaysGoodbyeWhenNobodyWaitsForAnAnswerFromItAnyMore) {
  Node node(client());
  const auto sees = [&](registry::NodeState state) {
    const auto rows = node.nodes();
    return std::any_of(rows.begin(), rows.end(),
                       [&](const auto& row) { return row.name == "seed" && row.state == state; });
  };
  ASSERT_TRUE(eventually([&] { return sees(registry::NodeState::up); }));
  ASSERT_TRUE(eventually([&] { return seed_.call_stats().peers_up == 1 && seed_.call_stats().connections == 1; }));
  const auto seed = std::static_pointer_cast<host::Peer>(node.registry().find_node("seed"));
  seed->pending_begins();  // an answer that has not been read yet
  auto stopped = std::async(std::launch::async, [&] { seed_.stop(host::now_ns() + 60 * host::kSecond); });
  // It has asked to be asked nothing more.
  EXPECT_TRUE(eventually([&] {
    Message message = Message::of("greet", Greet{"you"});
    node.dispatcher().dispatch(message, {10'000, "seed"});
    return message.response().text().find("no connection") != std::string_view::npos;
  }));
  EXPECT_TRUE(sees(registry::NodeState::up)) << "it has not said goodbye";
  EXPECT_EQ(stopped.wait_for(0s), std::future_status::timeout);
  seed->pending_ends();
  stopped.wait();
  EXPECT_TRUE(eventually([&] { return node.nodes().size() == 1; }));
}

TEST_F(Nodes, C_D18_OneThatStopsUnderLoadFailsNoCall) {
  const Offer offer(seed_);
  Node node(client());
  ASSERT_TRUE(node.wait_for("greet", kLong));
  std::atomic<bool> over{false};
  std::atomic<int> answered{0};
  Mutex mutex;
  std::vector<std::string> failures;
  const auto call_on = [&] {
    while (!over) {
      const Response response = node.dispatch(Message::of("greet", Greet{"you"}), kLong).response();
      ++answered;
      if (response.succeeded()) continue;
      const MutexLock lock(mutex);
      failures.push_back(std::string(response.error_code()) + " " + std::string(response.bad_rpc_kind()) + ": " +
                         std::string(response.text()));
    }
  };
  std::vector<std::jthread> callers;
  for (int i = 0; i < 8; ++i) callers.emplace_back(call_on);
  for (int round = 0; round < 10; ++round) {
    Node second(named("second", {seed_.registry_address()}));
    const Offer other_offer(second);
    EXPECT_TRUE(eventually([&] { return node.discover("greet").size() == 2; }));
    const int before = answered;
    EXPECT_TRUE(eventually([&] { return answered > before + 100; }));
    second.stop();
    EXPECT_TRUE(eventually([&] { return node.discover("greet").size() == 1; }));
  }
  over = true;
  callers.clear();
  const MutexLock lock(mutex);
  EXPECT_THAT(failures, IsEmpty());
  seed_.stop();
}

}  // namespace
}  // namespace busbar
