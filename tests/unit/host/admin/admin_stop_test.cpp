// The end of the admin server.
#include "unit/host/admin/admin_testing.hpp"

namespace busbar::host {
namespace {

namespace verb = wire::admin_verb;

using AdminStopTest = AdminServerTest;

TEST_F(AdminStopTest, TheSocketIsGoneAndIdleClientsSeeTheEnd) {
  serve();
  TestClient idle = connect();
  idle.ask(request_of(verb::kStatus));
  server_->stop(60s);  // nothing is under way: it does not wait
  EXPECT_FALSE(std::filesystem::exists(socket_));
  EXPECT_FALSE(idle.receive());
  EXPECT_FALSE(TestClient(socket_).connected());
  server_->stop();
}

TEST_F(AdminStopTest, ACallUnderWayMayEndWithinTheGrace) {
  serve();
  TestClient client = connect();
  client.send(call_of("hold", {}, 5));
  ASSERT_TRUE(eventually([] { return HeldCalls::instance().count() == 1; }));
  std::jthread stopping([&] { server_->stop(60s); });
  ASSERT_TRUE(eventually([&] { return !std::filesystem::exists(socket_); }));
  HeldCalls::instance().answer(0, Response::ok());
  const auto answer = client.receive();
  stopping.join();
  ASSERT_TRUE(answer && answer->reply);
  EXPECT_EQ(answer->seq, 5u);
  EXPECT_FALSE(client.receive());
}

TEST_F(AdminStopTest, NoNewRequestIsTakenWhileItStops) {
  serve();
  TestClient client = connect();
  client.send(call_of("hold", {}, 1));
  ASSERT_TRUE(eventually([] { return HeldCalls::instance().count() == 1; }));
  std::jthread stopping([&] { server_->stop(60s); });
  ASSERT_TRUE(eventually([&] { return !std::filesystem::exists(socket_); }));
  const auto refused = client.ask(call_of("echo", {}, 2));
  EXPECT_EQ(refused.seq, 2u);
  EXPECT_EQ(refused.error.value_or(wire::AdminError{}).code, "stopping");
  HeldCalls::instance().answer(0, Response::ok());
  EXPECT_EQ(client.receive()->seq, 1u);
  stopping.join();
}

// C-D8
TEST_F(AdminStopTest, ACallBeyondTheGraceIsCancelledAndItsClientTold) {
  serve();
  TestClient client = connect();
  client.send(call_of("hold", {}, 5));
  ASSERT_TRUE(eventually([] { return HeldCalls::instance().count() == 1; }));
  server_->stop();
  EXPECT_TRUE(HeldCalls::instance().caller_gone(0));
  const auto answer = client.receive();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_EQ(answer->seq, 5u);
  EXPECT_EQ(answer->error->code, "stopping");
}

TEST_F(AdminStopTest, WhoWaitsForTheFirstScanIsTold) {
  ready = false;
  serve();
  TestClient client = connect();
  client.send(request_of(verb::kServices, 1));
  client.ask(request_of(verb::kStatus, 2));
  server_->stop();
  EXPECT_EQ(client.receive()->error->code, "stopping");
  tell_();  // comes too late
}

TEST_F(AdminStopTest, WhatIsAnsweredAfterTheEndIsDiscarded) {
  serve();
  TestClient client = connect();
  client.send(call_of("hold", {}, 1));
  client.send(request_of(verb::kRescan, 2));
  ASSERT_TRUE(eventually([] { return HeldCalls::instance().count() == 1; }));
  client.ask(request_of(verb::kStatus, 3));
  server_.reset();
  HeldCalls::instance().answer(0, Response::ok());
  ASSERT_TRUE(end_scan({{"plugins", {}}}));
}

TEST_F(AdminStopTest, AClientThatReadsNothingDoesNotKeepItFromEnding) {
  serve();
  TestClient client = connect();
  const wire::AdminRequest request = call_of("echo", std::string(3'000'000, 'x'));
  client.send(request);
  ASSERT_TRUE(client.readable(30s));
  server_->stop();
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

// The race that the shared core is for: answers come from the pool while the server ends.
TEST_F(AdminStopTest, AnswersThatComeWhileItEndsAreSafe) {
  for (int round = 0; round < 50; ++round) {
    serve();
    std::vector<TestClient> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(connect());
      for (std::uint64_t seq = 1; seq <= 8; ++seq) clients.back().send(call_of("echo", {}, seq));
    }
    server_.reset();
  }
}

}  // namespace
}  // namespace busbar::host
