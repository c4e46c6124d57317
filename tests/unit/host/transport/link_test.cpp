#include "transport/link.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "link_testing.hpp"

namespace busbar::host {
namespace {

using testing::eventually;

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override { here_.start(); }
  ThisNode here_;
};

// Answers only when `hold` requests are there, the newest first.
ScriptedNode::Script in_reverse(std::size_t hold) {
  return [hold, held = std::vector<ScriptedNode::Frame>()](const wire::Envelope& envelope) mutable {
    if (envelope.type != wire::EnvelopeType::request) return ScriptedNode::as_usual(envelope);
    held.insert(held.begin(), ScriptedNode::answer(envelope));
    return held.size() < hold ? std::vector<ScriptedNode::Frame>() : std::exchange(held, {});
  };
}

TEST_F(LinkTest, ALoneCallerIsAnswered) {
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(here_.call(*peer, "payload " + std::to_string(i)));
  EXPECT_EQ(other.hellos, 1);
  EXPECT_EQ(other.requests, 100);
  EXPECT_EQ(here_.routability_changes, 1);
}

TEST_F(LinkTest, TheHelloSaysWhoThisNodeIs) {
  std::atomic<int> good{0};
  ScriptedNode other("tcp://127.0.0.1:*", [&](const wire::Envelope& envelope) {
    if (envelope.type == wire::EnvelopeType::hello && envelope.node == "me" && envelope.cluster == "test" &&
        envelope.incarnation == 3 && envelope.role == wire::Role::node && envelope.major == wire::kCallProtocolMajor &&
        envelope.max_message == CallPlaneOptions{}.max_message) {
      ++good;
    }
    return ScriptedNode::as_usual(envelope);
  });
  here_.add_and_wait(other.address());
  EXPECT_EQ(good, 1);
}

TEST_F(LinkTest, ManyBlockingCallersEachGetTheirOwnAnswerInWhateverOrderTheyCome) {
  constexpr int kThreads = 64;
  constexpr int kRounds = 20;
  ScriptedNode other("tcp://127.0.0.1:*", in_reverse(kThreads));
  const auto peer = here_.add_and_wait(other.address());
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        if (here_.call(*peer, std::to_string(i) + "/" + std::to_string(round))) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * kRounds);
  EXPECT_EQ(here_.dispatch.strays, 0);
}

TEST_F(LinkTest, PostedRequestsGoInBundlesAndAreAnsweredBesideBlockingCallers) {
  constexpr int kPosts = 500;
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());
  std::atomic<int> ended{0};
  here_.dispatch.on_end = [&](TestCall& call) {
    if (call.posted) ++ended;
    call.waiter.complete();
  };
  std::deque<TestCall> calls(kPosts);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, i] {
      while (!stop) {
        if (!here_.call(*peer, "caller " + std::to_string(i))) ++wrong;
      }
    });
  }
  for (int i = 0; i < kPosts; ++i) {
    TestCall& call = calls[static_cast<std::size_t>(i)];
    EXPECT_EQ(here_.post(*peer, call, "post " + std::to_string(i)), Sent::kYes);
  }
  EXPECT_TRUE(eventually([&] { return ended == kPosts; }));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  for (int i = 0; i < kPosts; ++i) {
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].answer, "post " + std::to_string(i));
    peer->ended();
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(LinkTest, WhatIsQueuedWhileNothingIsReadGoesAsBundles) {
  constexpr int kPosts = 2'000;
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());
  std::deque<TestCall> calls(kPosts);
  const int frames_before = other.frames;
  other.stop_reading();
  const std::string payload(1'000, 'x');  // more than the kernel's and ZeroMQ's queues hold one by one
  for (TestCall& call : calls) ASSERT_EQ(here_.post(*peer, call, payload), Sent::kYes);
  other.read_again();
  for (TestCall& call : calls) EXPECT_TRUE(eventually([&] { return call.waiter.done(); }));
  for (int i = 0; i < kPosts; ++i) peer->ended();
  EXPECT_EQ(other.requests, kPosts);
  EXPECT_LT(other.frames - frames_before, kPosts);
}

TEST_F(LinkTest, OnceNothingPostedIsUnderWayALoneCallerDrivesAgain) {
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());
  const auto& link = static_cast<Link&>(*peer);
  TestCall posted;
  ASSERT_EQ(here_.post(*peer, posted, "posted"), Sent::kYes);
  EXPECT_TRUE(link.worked_by_peers());
  YieldGuard guard;
  ASSERT_TRUE(posted.waiter.wait_until(far_future(), guard));
  peer->ended();
  EXPECT_TRUE(eventually([&] { return here_.call(*peer, "x") && !link.worked_by_peers(); }));
  TestCall call;
  Seat seat(call.waiter);
  ASSERT_TRUE(eventually([&] { return !link.worked_by_peers(); }));
  ASSERT_EQ(here_.begin(*peer, call, seat, "lone"), Sent::kYes);
  EXPECT_TRUE(seat.driving);
  EXPECT_TRUE(here_.finish(*peer, call, seat));
}

TEST_F(LinkTest, ADriverGivesUpAtItsDeadlineAndItsLateAnswerIsRead) {
  ScriptedNode other("tcp://127.0.0.1:*", in_reverse(2));
  const auto peer = here_.add_and_wait(other.address());
  const Nanos deadline = now_ns() + 20 * kMillisecond;
  EXPECT_FALSE(here_.call(*peer, "nobody answers", deadline));
  EXPECT_GE(now_ns(), deadline);
  EXPECT_TRUE(here_.call(*peer, "makes both be answered"));
  EXPECT_TRUE(eventually([&] { return here_.dispatch.strays == 1; })) << "late answers are read without a caller too";
}

TEST_F(LinkTest, AFollowerGivesUpAtItsDeadlineWhileAnotherDrives) {
  ScriptedNode other("tcp://127.0.0.1:*", in_reverse(3));
  const auto peer = here_.add_and_wait(other.address());
  TestCall first;
  Seat driver(first.waiter);
  ASSERT_EQ(here_.begin(*peer, first, driver, "first"), Sent::kYes);
  ASSERT_TRUE(driver.driving);
  std::thread driving([&] { EXPECT_TRUE(here_.finish(*peer, first, driver)); });
  EXPECT_FALSE(here_.call(*peer, "second", now_ns() + 20 * kMillisecond));
  EXPECT_TRUE(here_.call(*peer, "third"));
  driving.join();
  EXPECT_EQ(first.answer, "first");
}

// The newest follower is called to drive at a moment when its own answer is there already, or its deadline has come.
TEST_F(LinkTest, ADriverThatNeedsToDriveNoMorePassesItOnOnEveryWayOut) {
  ScriptedNode other("tcp://127.0.0.1:*", [](const wire::Envelope& envelope) {
    return text_of(envelope.request) == "unanswered" ? std::vector<ScriptedNode::Frame>()
                                                     : ScriptedNode::as_usual(envelope);
  });
  const auto peer = here_.add_and_wait(other.address());
  for (int round = 0; round < 200; ++round) {
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&, i] {
        if (i % 2 == 0) {
          here_.call(*peer, "unanswered", now_ns() + (round % 20) * 20 * kMicrosecond);
        } else if (here_.call(*peer, "answered")) {
          ++good;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(good, 3);
  }
}

TEST_F(LinkTest, APromotedFollowerThatIsDoneAlreadyPassesTheDrivingOn) {
  ScriptedNode other("tcp://127.0.0.1:*", in_reverse(4));
  const auto peer = here_.add_and_wait(other.address());
  std::array<TestCall, 3> calls;
  std::deque<Seat> seats;
  for (TestCall& call : calls) {
    seats.emplace_back(call.waiter);
    ASSERT_EQ(here_.begin(*peer, call, seats.back(), "x"), Sent::kYes);
  }
  ASSERT_TRUE(seats[0].driving);
  // The first leaves at once: it passes the driving to the newest, which has not begun to wait.
  EXPECT_FALSE(here_.finish(*peer, calls[0], seats[0], now_ns()));
  ASSERT_TRUE(seats[2].driving);
  // That one is answered by somebody else before it begins.
  ASSERT_TRUE(here_.dispatch.forget(calls[2]));
  calls[2].waiter.complete();
  peer->wait(seats[2], far_future());
  EXPECT_TRUE(seats[1].driving) << "otherwise nobody would read its answer";
  std::thread fourth([&] { EXPECT_TRUE(here_.call(*peer, "has all of them answered")); });
  EXPECT_TRUE(here_.finish(*peer, calls[1], seats[1]));
  fourth.join();
}

TEST_F(LinkTest, ARingHasADriverSeeThatItsCallWasEndedElsewhere) {
  ScriptedNode other("tcp://127.0.0.1:*", in_reverse(1'000'000));
  const auto peer = here_.add_and_wait(other.address());
  for (int i = 0; i < 100; ++i) {
    TestCall call;
    Seat seat(call.waiter);
    ASSERT_EQ(here_.begin(*peer, call, seat, "x"), Sent::kYes);
    std::thread elsewhere([&] {
      EXPECT_TRUE(here_.dispatch.forget(call));
      call.waiter.complete();
      peer->ring();
    });
    peer->wait(seat, far_future());
    EXPECT_TRUE(call.waiter.done());
    elsewhere.join();
  }
}

TEST_F(LinkTest, AnEnvelopeThatTheOtherSideWouldNotTakeIsRefusedHere) {
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());  // it says 1 MiB
  TestCall call;
  Seat seat(call.waiter);
  EXPECT_EQ(here_.begin(*peer, call, seat, std::string(1 << 20, 'x')), Sent::kTooLarge);
  EXPECT_EQ(here_.post(*peer, call, std::string(1 << 20, 'x')), Sent::kTooLarge);
  EXPECT_TRUE(here_.call(*peer, std::string((1 << 20) - 1'000, 'x')));
}

TEST_F(LinkTest, LargeAndSmallEnvelopesKeepTheirOrder) {
  std::vector<std::size_t> sizes;
  ScriptedNode other("tcp://127.0.0.1:*", [&](const wire::Envelope& envelope) {
    if (envelope.type == wire::EnvelopeType::request) sizes.push_back(envelope.request.size());
    return ScriptedNode::as_usual(envelope);
  });
  const auto peer = here_.add_and_wait(other.address());
  std::deque<TestCall> calls(60);
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    expected.push_back(i % 3 == 0 ? 200'000 + i : i);
    ASSERT_EQ(here_.post(*peer, calls[i], std::string(expected.back(), 'x')), Sent::kYes);
  }
  for (TestCall& call : calls) EXPECT_TRUE(eventually([&] { return call.waiter.done(); }));
  for (std::size_t i = 0; i < calls.size(); ++i) peer->ended();
  here_.peers.stop();
  other.close();
  EXPECT_EQ(sizes, expected);
}

}  // namespace
}  // namespace busbar::host
