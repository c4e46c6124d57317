// Both sides of a node together: how it ends.
#include <gtest/gtest.h>

#include <future>

#include "call_server_testing.hpp"
#include "link_testing.hpp"

namespace busbar::host {
namespace {

using namespace std::chrono_literals;
using testing::eventually;

// The other node: a ROUTER that this one dials, and a DEALER that has dialled this one.
class CallPlaneEnd : public ::testing::Test {
 protected:
  void SetUp() override {
    plane_.start(dispatch_, requests_, {});
    peer_ = plane_.add("other", 7, other_.address());
    caller_.greet("other");
    ASSERT_TRUE(eventually([&] { return peer_->routable(); }));
  }
  void TearDown() override { plane_.stop(); }
  std::future<bool> wind_down() {
    return std::async(std::launch::async, [this] { return plane_.wind_down(far_future()); });
  }
  void say_closing() {
    wire::Envelope closing;
    closing.type = wire::EnvelopeType::closing;
    closing.major = wire::kCallProtocolMajor;
    caller_.send(closing);
  }

  ScriptedNode other_;
  TestDispatch dispatch_;
  testing::ScriptedRequests requests_{testing::answer_at_once};
  CallPlane plane_{testing::server_options(), Logger()};
  zmq::context_t callers_{1};
  testing::Caller caller_{callers_, plane_.address()};
  std::shared_ptr<Peer> peer_;
};

TEST_F(CallPlaneEnd, C_D18_WhatComesBeforeTheOtherNodeHasClosedIsReadAndAnswered) {
  auto ended = wind_down();
  EXPECT_TRUE(eventually([&] { return other_.closings == 1; }));
  for (std::uint64_t attempt = 1; attempt <= 3; ++attempt) {
    caller_.send(testing::request_of(attempt));
    EXPECT_EQ(caller_.one().attempt, attempt);
  }
  EXPECT_EQ(ended.wait_for(0s), std::future_status::timeout);
  say_closing();
  EXPECT_TRUE(ended.get());
}

TEST_F(CallPlaneEnd, C_D18_OneThatIsGoneOrLostIsNotWaitedFor) {
  auto ended = wind_down();
  EXPECT_TRUE(eventually([&] { return other_.closings == 1; }));
  plane_.drop(peer_, "the failure detector says so");
  EXPECT_TRUE(ended.get());
}

TEST_F(CallPlaneEnd, C_D18_WhoDoesNotCloseIsNotWaitedForLonger) {
  EXPECT_FALSE(plane_.wind_down(now_ns() + 20 * kMillisecond));
}

TEST_F(CallPlaneEnd, C_D18_TwoThatCloseAtTheSameMomentWaitForEachOtherOnce) {
  say_closing();
  auto ended = wind_down();
  EXPECT_TRUE(ended.get());
  EXPECT_TRUE(eventually([&] { return other_.closings >= 1; }));
}

TEST(CallPlane, C_D18_WithoutOthersNobodyIsWaitedFor) {
  TestDispatch dispatch;
  testing::ScriptedRequests requests;
  CallPlane plane(testing::server_options(), Logger());
  plane.start(dispatch, requests, {});
  EXPECT_TRUE(plane.wind_down(far_future()));
}

}  // namespace
}  // namespace busbar::host
