// What clients ask of a node that is not ready yet: one that looks at its plugins for the first time, say.
#include <condition_variable>
#include <set>

#include "dispatch/anteroom.hpp"
#include "remote.hpp"
#include "support/raw_requester.hpp"

namespace busbar::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kLong = 600'000'000;  // µs

wire::Envelope envelope_of(wire::EnvelopeType type, std::uint64_t attempt) {
  wire::Envelope envelope;
  envelope.type = type;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = attempt;
  return envelope;
}

class BeforeReady : public ::testing::Test {
 protected:
  BeforeReady() {
    node().on_query([](const auto& from, std::uint64_t attempt, wire::Bytes body) {
      from->answer(host::write_document(attempt, body), false);
    });
    node().hold_clients();
  }
  host::Dispatcher& node() { return net["a"].dispatcher(); }
  void call(std::uint64_t attempt, std::uint64_t remaining_us = kLong) {
    const Message message("s");
    ask(net["a"], client, request_for(message, attempt, remaining_us));
  }
  void query(const std::shared_ptr<RawRequester>& from, std::uint64_t attempt) {
    wire::Envelope query = envelope_of(wire::EnvelopeType::query, attempt);
    query.body = body_;
    ask(net["a"], from, query);
  }

  const std::vector<std::uint8_t> body_ = {1, 2, 3};
  LinkedHubs net{{"a", "b"}};
  std::shared_ptr<RawRequester> client = std::make_shared<RawRequester>(wire::Role::client, "cli");
};

TEST_F(BeforeReady, RequestsAndQueriesOfClientsWait) {
  call(1);
  query(client, 2);
  EXPECT_THAT(client->received(), IsEmpty());
  net.add("a", answering("s", "a"));  // which was not known when it was asked for
  node().let_clients_in();
  EXPECT_EQ(client->wait_for(1).response.value_as<std::string>(), "a");
  const auto document = client->wait_for(2);
  EXPECT_EQ(document.type, wire::EnvelopeType::document);
  EXPECT_THAT(document.body.bytes(), ::testing::ElementsAreArray(body_));
  call(3);
  EXPECT_EQ(client->wait_for(3).response.value_as<std::string>(), "a") << "from then on nobody waits";
  EXPECT_EQ(client->received().size(), 3u);
  EXPECT_TRUE(net.quiet());
}

// A client that waits does not keep the next one from asking, and a request that is none is told so at once.
TEST_F(BeforeReady, WhatCannotBeServedAnywayIsToldAtOnce) {
  const Message message("No Service");
  ask(net["a"], client, request_for(message, 1, kLong));
  EXPECT_TRUE(client->wait_for(1).response.is_error(code::kMalformed));
}

TEST_F(BeforeReady, NodesDoNotWait) {
  const auto peer = std::make_shared<RawRequester>(wire::Role::node, "z");
  const Message message("s");
  ask(net["a"], peer, request_for(message, 1, kLong));
  const auto answer = peer->wait_for(1);
  EXPECT_EQ(answer.response.kind(), Response::Kind::service_unavailable);
  EXPECT_TRUE(answer.unstarted);
  query(peer, 2);
  EXPECT_EQ(peer->wait_for(2).type, wire::EnvelopeType::document);
}

TEST_F(BeforeReady, C_D5_TheWaitIsPartOfTheBudget) {
  call(1, 20'000);
  const Response& response = client->wait_for(1).response;
  EXPECT_EQ(response.kind(), Response::Kind::service_timeout) << shown(response);
  EXPECT_EQ(response.timeout_ms(), 20u);
  std::atomic<std::int64_t> left_ns{0};
  net.add("a", Script().on("s", [&](Message&, Context& context) {
    left_ns = std::chrono::nanoseconds(context.time_left()).count();
    return Response::ok();
  }));
  call(2);
  const host::Nanos asked = host::now_ns();
  EXPECT_TRUE(eventually([&] { return host::now_ns() - asked > 5 * host::kMillisecond; }));
  const host::Nanos waited = host::now_ns() - asked;
  node().let_clients_in();
  EXPECT_TRUE(client->wait_for(2).response.succeeded());
  EXPECT_LE(left_ns, static_cast<std::int64_t>(kLong) * 1'000 - waited + host::kMillisecond);
}

TEST_F(BeforeReady, C_D8_WhatIsGivenUpIsNotDispatched) {
  std::atomic<int> runs{0};
  net.add("a", Script().on("s", [&](Message&, Context&) {
    ++runs;
    return Response::ok();
  }));
  const auto other = std::make_shared<RawRequester>(wire::Role::client, "other");
  const auto stays = std::make_shared<RawRequester>(wire::Role::client, "stays");
  const Message message("s");
  for (const auto& from : {client, other, stays}) ask(net["a"], from, request_for(message, 7, kLong));
  ask(net["a"], client, envelope_of(wire::EnvelopeType::cancel, 7));
  other->gone_ = true;
  node().on_gone(*other);
  node().let_clients_in();
  EXPECT_TRUE(stays->wait_for(7).response.succeeded());
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(runs, 1);
  EXPECT_THAT(client->received(), IsEmpty());
}

TEST_F(BeforeReady, NoMoreThanSoManyWait) {
  const std::size_t most = host::Anteroom::kMost;
  for (std::uint64_t attempt = 1; attempt <= most; ++attempt) call(attempt);
  EXPECT_THAT(client->received(), IsEmpty());
  call(most + 1);
  const auto refused = client->wait_for(most + 1);
  EXPECT_TRUE(refused.response.is_error(code::kOverloaded)) << shown(refused.response);
  EXPECT_TRUE(refused.unstarted);
  query(client, most + 2);
  EXPECT_EQ(client->wait_for(most + 2).type, wire::EnvelopeType::refused);
  ask(net["a"], client, envelope_of(wire::EnvelopeType::cancel, 1));
  call(most + 3);
  EXPECT_EQ(client->answers(most + 3), 0u) << "there is room again";
  node().let_clients_in();
  EXPECT_TRUE(eventually([&] { return client->received().size() == most + 2; }));
  std::set<std::uint64_t> answered;
  for (const auto& row : client->received()) answered.insert(row.attempt);
  EXPECT_EQ(answered.size(), most + 2) << "each once";
  EXPECT_TRUE(net.quiet());
}

TEST_F(BeforeReady, AHostThatStopsFirstSaysSo) {
  call(1);
  query(client, 2);
  node().refuse_requests();
  EXPECT_EQ(client->wait_for(1).response.reason(), "stopping");
  EXPECT_EQ(client->wait_for(2).type, wire::EnvelopeType::refused);
  EXPECT_EQ(client->received().size(), 2u);
}

// -------------------------------------------------------------------------------------------- the place itself

class AnteroomTest : public ::testing::Test {
 protected:
  struct Ended {
    std::uint64_t attempt;
    host::Anteroom::End end;
    host::Nanos waited;
  };
  void TearDown() override {
    hub.pool().stop(host::now_ns() + 60 * host::kSecond);
    supervisor.stop();
  }
  host::Anteroom::Taken take(std::uint64_t attempt, host::Nanos budget, std::size_t size = 1) {
    const std::vector<std::uint8_t> body(size);
    wire::Envelope query = envelope_of(wire::EnvelopeType::query, attempt);
    query.body = body;
    return room.take(client, query, budget);
  }
  std::vector<Ended> ended() {
    const std::lock_guard lock(mutex);
    return ended_;
  }

  Hub hub;
  host::Supervisor supervisor;
  std::mutex mutex;
  std::vector<Ended> ended_;
  std::shared_ptr<RawRequester> client = std::make_shared<RawRequester>(wire::Role::client, "cli");
  host::Anteroom room{hub.pool(), supervisor, [this](const auto&, const auto& envelope, auto waited, auto end) {
                        const std::lock_guard lock(mutex);
                        ended_.push_back({envelope.attempt, end, waited});
                      }};
};

TEST_F(AnteroomTest, EachWaitEndsWhenItsTimeIsOver) {
  room.close();
  const host::Nanos begun = host::now_ns();
  EXPECT_EQ(take(1, 10 * host::kSecond), host::Anteroom::Taken::held);
  EXPECT_EQ(take(2, 20 * host::kSecond), host::Anteroom::Taken::held);
  const host::Nanos first = room.expire(begun);
  EXPECT_GE(first, begun + 10 * host::kSecond);
  EXPECT_THAT(ended(), IsEmpty());
  EXPECT_GT(room.expire(first), first);
  ASSERT_EQ(ended().size(), 1u);
  EXPECT_EQ(ended()[0].attempt, 1u);
  EXPECT_EQ(ended()[0].end, host::Anteroom::End::late);
  EXPECT_EQ(ended()[0].waited, 10 * host::kSecond);
  EXPECT_EQ(room.expire(first + 60 * host::kSecond), host::kNever);
  EXPECT_EQ(ended().size(), 2u);
}

TEST_F(AnteroomTest, WhoeverLooksAtTimesIsWokenForTheWait) {
  std::atomic<int> looks{0};
  supervisor.add_duty([&](host::Nanos now) {
    const host::Nanos next = room.expire(now);
    ++looks;
    return next;
  });
  ASSERT_TRUE(eventually([&] { return looks > 0; }));
  room.close();
  EXPECT_EQ(take(1, 5 * host::kMillisecond), host::Anteroom::Taken::held);
  EXPECT_TRUE(eventually([&] { return ended().size() == 1; }));
  supervisor.stop();  // before what its duty counts with
}

TEST_F(AnteroomTest, TakesNothingWhenItIsOpen) {
  EXPECT_EQ(take(1, host::kSecond), host::Anteroom::Taken::open);
  room.close();
  room.open();
  EXPECT_EQ(take(1, host::kSecond), host::Anteroom::Taken::open);
  EXPECT_THAT(ended(), IsEmpty());
}

TEST_F(AnteroomTest, TakesNoMoreBytesThanItMay) {
  room.close();
  EXPECT_EQ(take(1, 60 * host::kSecond, host::Anteroom::kMostBytes), host::Anteroom::Taken::held);
  EXPECT_EQ(take(2, 60 * host::kSecond), host::Anteroom::Taken::full);
  room.forget(*client, 1);
  EXPECT_EQ(take(3, 60 * host::kSecond), host::Anteroom::Taken::held);
  room.dismiss();
  ASSERT_EQ(ended().size(), 1u);
  EXPECT_EQ(ended()[0].end, host::Anteroom::End::stopping);
}

// Where the pool takes no task they go on all the same, and are told whatever comes of it.
TEST_F(AnteroomTest, WhatWaitsGoesOnWithoutThePool) {
  room.close();
  EXPECT_EQ(take(1, 60 * host::kSecond), host::Anteroom::Taken::held);
  hub.pool().stop(host::now_ns() + 60 * host::kSecond);
  room.open();
  ASSERT_EQ(ended().size(), 1u);
  EXPECT_EQ(ended()[0].end, host::Anteroom::End::ready);
}

}  // namespace
}  // namespace busbar::testing
