// The keeper of one link, step by step, on the test's own thread.
#include "transport/link_keeper.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include "link_testing.hpp"
#include "support/silent_peer.hpp"

namespace busbar::host {
namespace {

TEST(LinkKeeperTest, AWelcomeThatIsThereAlreadyIsTakenAndToldOnceTheHelloIsSaid) {
  ThisNode here;
  const auto shared = std::make_shared<LinkShared>(Logger());
  shared->events = &here.dispatch;
  testing::SilentPeer other;
  const auto link = std::make_shared<Link>("other", 7, other.address(),
                                           Link::Limits{.max_message = 1 << 20, .queue = 1 << 20}, shared);
  registry::net::Resolver resolver(registry::net::look_up, [] {});
  const std::shared_ptr<const keys::OwnKey> none;
  LinkKeeper keeper(link, here.context, here.options_, Logger(), here.dispatch, resolver, none);
  const std::vector<pollfd> nothing_polled;

  EXPECT_FALSE(keeper.attend(now_ns(), nothing_polled)) << "it dials";
  other.accept();
  other.greet_as_router();
  ASSERT_TRUE(other.await("READY"));
  other.send_message(text_of(ScriptedNode::welcome()));
  ASSERT_TRUE(other.is_read());
  EXPECT_TRUE(keeper.attend(now_ns(), nothing_polled)) << "who routes is not told that it has come up";
  EXPECT_TRUE(keeper.up());
  EXPECT_TRUE(link->routable());
  EXPECT_TRUE(other.await(here.options_.node)) << "it is up, and the other was not told who calls";

  keeper.end("the test is over");
  EXPECT_TRUE(keeper.attend(now_ns(), nothing_polled));
  EXPECT_TRUE(keeper.over());
}

}  // namespace
}  // namespace busbar::host
