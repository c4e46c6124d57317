// Options may be named in part: what is left out has its default, and no compiler warns of it. That this file compiles
// is the most of it: its warnings are errors.
#include <busbar/registry/cluster.hpp>
#include <busbar/registry/net/socket.hpp>

#include <gtest/gtest.h>

#include "node/node.hpp"

namespace busbar::testing {
namespace {

TEST(Options, MayBeNamedInPart) {
  const NodeOptions node{.join = {"tcp://127.0.0.1:4711"}, .pool = {.threads = 3}};
  EXPECT_EQ(node.cluster, "busbar");
  EXPECT_EQ(node.pool.queue, host::PoolOptions().queue);
  const Node::Hooks hooks{.refused = [](std::string_view) {}};
  EXPECT_FALSE(hooks.query);
  const host::DispatchOptions dispatch{.node = "a"};
  EXPECT_EQ(dispatch.timeout_ms, 0u);
  const host::CallPlaneOptions calls{.node = "a"};
  EXPECT_FALSE(calls.incarnation);
  const registry::ClusterOptions cluster{.node = "a"};
  EXPECT_TRUE(cluster.seeds.empty());
  const registry::net::SocketOptions socket{.handshake = std::chrono::seconds(1)};
  EXPECT_EQ(socket.heartbeat, std::chrono::seconds(1));
}

}  // namespace
}  // namespace busbar::testing
