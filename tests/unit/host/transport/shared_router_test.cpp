// The ROUTER that is shared, step by step, on the test's own thread.
#include "transport/shared_router.hpp"

#include "call_server_testing.hpp"

namespace busbar::testing {
namespace {

using host::Connection;
using host::ConnectionIdentity;
using host::ReceivedBatch;
using host::SharedRouter;

zmq::socket_t bound_router(zmq::context_t& context) {
  zmq::socket_t router(context, zmq::socket_type::router);
  router.set(zmq::sockopt::linger, 0);
  router.set(zmq::sockopt::router_mandatory, true);
  router.set(zmq::sockopt::sndhwm, 1);
  router.bind("tcp://127.0.0.1:*");
  return router;
}

class SharedRouterTest : public ::testing::Test {
 protected:
  /// Takes whoever sends the next message for a connection.
  std::shared_ptr<Connection> connect() {
    EXPECT_TRUE(eventually([&] { return router_->look(batch_); }));
    ConnectionIdentity identity;
    identity.routing_id = batch_.messages().front().routing_id.to_string();
    identity.max_message = kClientMaxMessage;
    batch_.clear();
    return std::make_shared<Connection>(std::move(identity), router_, kMostWaiting);
  }

  static constexpr std::size_t kMostWaiting = 64 * 1024;

  zmq::context_t context_{1};
  zmq::socket_t socket_ = bound_router(context_);
  const std::string address_ = socket_.get(zmq::sockopt::last_endpoint);
  const std::shared_ptr<SharedRouter> router_ = std::make_shared<SharedRouter>(std::move(socket_));
  ReceivedBatch batch_;
};

// While requests keep coming the serving thread only looks: it never gets as far as `next`.
TEST_F(SharedRouterTest, WhatWaitsForRoomLeavesAlsoWhereItIsOnlyLookedForRequests) {
  Caller deaf(context_, address_, 1);
  deaf.send(request_of(1));
  const auto connection = connect();
  std::uint64_t accepted = 0;
  // Each a frame of its own. What fits into the kernel's buffers leaves; then it is full here.
  while (connection->answer(answer_of(accepted + 1, 20'000), false) == Sent::kYes) {
    ASSERT_LT(++accepted, 20'000u);
    router_->look(batch_);
  }
  std::uint64_t next = 1;
  EXPECT_TRUE(eventually([&] {
    router_->look(batch_);
    for (const Heard& one : deaf.frame(std::chrono::milliseconds(0))) EXPECT_EQ(one.attempt, next++);
    return next > accepted;
  })) << "nothing more after answer "
      << next - 1 << " of " << accepted;
  router_->close(0);
}

}  // namespace
}  // namespace busbar::testing
