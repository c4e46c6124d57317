// Many threads that do everything at once, under connections that come and go.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "link_testing.hpp"

namespace busbar::host {
namespace {

using testing::eventually;

class LinkHammerTest : public ::testing::Test {
 protected:
  // Every third request is answered late and out of order, every fiftieth never.
  static ScriptedNode::Script moody() {
    return [held = std::vector<ScriptedNode::Frame>(), seen = 0](const wire::Envelope& envelope) mutable {
      if (envelope.type != wire::EnvelopeType::request) return ScriptedNode::as_usual(envelope);
      if (++seen % 50 == 0) return std::vector<ScriptedNode::Frame>();
      if (seen % 3 == 0) {
        held.push_back(ScriptedNode::answer(envelope));
        return std::vector<ScriptedNode::Frame>();
      }
      held.push_back(ScriptedNode::answer(envelope));
      return std::exchange(held, {});
    };
  }

  // Each call ends as answered with its own payload, as down, or by its deadline; nothing else.
  void one_blocking_call(Peer& peer, std::minstd_rand& random) {
    TestCall call;
    Seat seat(call.waiter);
    const std::string payload = std::to_string(random());
    if (here_.begin(peer, call, seat, payload) != Sent::kYes) {
      std::this_thread::yield();
      return;
    }
    const Nanos deadline = now_ns() + static_cast<Nanos>(random() % 4) * kMillisecond;
    if (!here_.finish(peer, call, seat, deadline)) {
      ++late_;
    } else if (call.answer == payload) {
      ++answered_;
    } else if (!call.down.empty()) {
      ++down_;
    } else {
      ++wrong_;
    }
  }

  void some_posts(Peer& peer, std::minstd_rand& random) {
    std::vector<TestCall> calls(1 + random() % 64);
    std::size_t posted = 0;
    for (TestCall& call : calls) {
      if (here_.post(peer, call, "posted") != Sent::kYes) break;
      ++posted;
    }
    YieldGuard guard;
    for (std::size_t i = 0; i < posted; ++i) {
      calls[i].waiter.wait_until(now_ns() + 2 * kMillisecond, guard);
      if (!calls[i].waiter.done() && !here_.dispatch.forget(calls[i])) calls[i].waiter.wait_until(far_future(), guard);
      peer.ended();
    }
    if (posted == 0) std::this_thread::yield();
  }

  void hammer(Peer& peer, int threads, const std::atomic<bool>& stop, std::vector<std::thread>& into) {
    for (int i = 0; i < threads; ++i) {
      into.emplace_back([&, i] {
        std::minstd_rand random(static_cast<unsigned>(i) + 1);
        while (!stop) {
          if (i % 3 == 2) {
            some_posts(peer, random);
          } else {
            one_blocking_call(peer, random);
          }
        }
      });
    }
  }

  ThisNode here_;
  std::atomic<int> answered_{0};
  std::atomic<int> down_{0};
  std::atomic<int> late_{0};
  std::atomic<int> wrong_{0};
};

TEST_F(LinkHammerTest, NobodyHangsAndNobodyGetsAnothersAnswer) {
  here_.start();
  auto other = std::make_unique<ScriptedNode>("tcp://127.0.0.1:*", moody());
  const std::string address = other->address();
  const auto peer = here_.add_and_wait(address);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  hammer(*peer, 9, stop, threads);
  for (int round = 1; round <= 4; ++round) {
    const int before = answered_;
    EXPECT_TRUE(eventually([&] { return answered_ > before + 200; }));
    other->close();
    EXPECT_TRUE(eventually([&] { return here_.dispatch.downs == round; }));
    other = std::make_unique<ScriptedNode>(address, moody());
    EXPECT_TRUE(eventually([&] { return peer->routable(); }));
  }
  const int before = answered_;
  EXPECT_TRUE(eventually([&] { return answered_ > before + 200; }));
  here_.peers.stop();  // under load
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong_, 0);
  EXPECT_EQ(here_.dispatch.wrong, 0);
  EXPECT_GT(late_, 0);
}

}  // namespace
}  // namespace busbar::host
