// How answers leave: bundled, alone, from which thread, and how many may wait.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "call_server_testing.hpp"

namespace busbar::testing {
namespace {

using ::testing::ElementsAre;

Bytes requests_of(std::uint64_t first, std::uint64_t count) {
  Bytes frame;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Bytes one = request_of(first + i);
    frame.insert(frame.end(), one.begin(), one.end());
  }
  return frame;
}

TEST(CallServerAnswers, SixtyFourRequestsInOneFrameAreAnsweredInOneFrameInTheirOrder) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  caller.send(requests_of(1, 64));
  const auto heard = caller.frame();
  ASSERT_EQ(heard.size(), 64u);
  for (std::size_t i = 0; i < heard.size(); ++i) EXPECT_EQ(heard[i].attempt, i + 1);
}

TEST(CallServerAnswers, AFrameHasAtMostSixtyFourAnswers) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  caller.send(requests_of(1, 1000));
  std::uint64_t next = 1;
  while (next <= 1000) {
    const auto heard = caller.frame();
    ASSERT_FALSE(heard.empty());
    EXPECT_LE(heard.size(), 64u);
    for (const Heard& one : heard) EXPECT_EQ(one.attempt, next++);
  }
}

TEST(CallServerAnswers, ABundleIsNotLargerThanTheOtherSideAccepts) {
  Served served([](const auto& from, const Envelope& e) { from->answer(answer_of(e.attempt, 500), false); });
  Caller caller = served.caller();
  Envelope hello = hello_envelope();
  hello.max_message = 1200;
  caller.send(hello);
  EXPECT_EQ(caller.one().type, EnvelopeType::welcome);
  caller.send(requests_of(1, 10));
  std::size_t answers = 0;
  while (answers < 10) {
    const auto heard = caller.frame();
    ASSERT_FALSE(heard.empty());
    answers += heard.size();
    EXPECT_LE(caller.last_size(), 1200u);
    EXPECT_EQ(heard.size(), 2u);
  }
}

TEST(CallServerAnswers, AnAnswerThatIsTooLargeIsNotAccepted) {
  std::atomic<Sent> large{Sent::kYes};
  Served served([&](const auto& from, const Envelope& e) {
    large = from->answer(answer_of(e.attempt, kClientMaxMessage), false);
    from->answer(answer_of(e.attempt), false);
  });
  Caller caller = served.caller();
  caller.greet();
  caller.send(request_of(1));
  EXPECT_EQ(caller.one().attempt, 1u);
  EXPECT_EQ(large.load(), Sent::kTooLarge);
}

TEST(CallServerAnswers, LargeAnswersKeepTheirPlaceAmongSmallOnes) {
  Served served([](const auto& from, const Envelope& e) {
    from->answer(answer_of(e.attempt, e.attempt % 3 == 0 ? 100'000 : 10), false);
  });
  Caller caller = served.caller();
  caller.greet();
  caller.send(requests_of(1, 60));
  std::uint64_t next = 1;
  while (next <= 60) {
    const auto heard = caller.frame();
    ASSERT_FALSE(heard.empty());
    for (const Heard& one : heard) EXPECT_EQ(one.attempt, next++);
  }
}

TEST(CallServerAnswers, AnAnswerOfAnotherThreadLeavesWhileTheServingThreadSleeps) {
  Served served([](const auto&, const Envelope&) {});
  Caller caller = served.caller();
  caller.greet();
  caller.send(request_of(1));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != nullptr; }));
  for (std::uint64_t attempt = 1; attempt <= 200; ++attempt) {
    EXPECT_EQ(served.requests.last()->answer(answer_of(attempt), false), Sent::kYes);
    ASSERT_EQ(caller.one().attempt, attempt);
  }
}

TEST(CallServerAnswers, AnAnnouncedAnswerThatNeverComesHoldsNothingBack) {
  Served served([](const auto&, const Envelope&) {});
  Caller caller = served.caller();
  caller.greet();
  caller.send(request_of(1));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != nullptr; }));
  for (std::uint64_t attempt = 1; attempt <= 50; ++attempt) {
    served.requests.last()->answer(answer_of(attempt), true);
    ASSERT_EQ(caller.one().attempt, attempt);
  }
}

TEST(CallServerAnswers, AnnouncedAnswersLeaveTogether) {
  Served served([](const auto&, const Envelope&) {});
  Caller caller = served.caller();
  caller.greet();
  caller.send(request_of(1));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != nullptr; }));
  std::size_t frames = 0;
  for (int round = 0; round < 50; ++round) {
    for (std::uint64_t i = 1; i <= 10; ++i) served.requests.last()->answer(answer_of(i), i < 10);
    for (std::size_t answers = 0; answers < 10; ++frames) answers += caller.frame().size();
  }
  EXPECT_LT(frames, 250u);  // 50, were it not for a thread that loses the processor in between
}

TEST(CallServerAnswers, OfAnUnreadConnectionOnlySoManyBytesWait) {
  auto options = server_options();
  options.peer_queue = 2 * 1024 * 1024;
  options.lost_after = kFarAway;  // or the kernel would end the connection of who reads nothing
  Served served([](const auto&, const Envelope&) {}, options);
  Caller deaf = served.caller(1);
  deaf.greet("deaf");
  deaf.send(request_of(1));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != nullptr; }));
  const auto requester = served.requests.last();
  // What the kernel and the other side's ZeroMQ hold is not counted: some MiB, and they may take more of it at any
  // time; so a refusal is awaited, and what was accepted before it is counted, never how much that was to be.
  const auto until_full = [&](const Bytes& answer) {
    std::size_t accepted = 0;
    while (requester->answer(answer, false) == Sent::kYes) {
      if (++accepted * answer.size() > 64u * 1024 * 1024) return std::size_t{0};  // it takes without end
    }
    return accepted;
  };
  const std::size_t large = until_full(answer_of(1, 200'000));
  ASSERT_GT(large, 0u);
  EXPECT_EQ(requester->answer(answer_of(7), false), Sent::kYes) << "for a brief one there is a reserve";
  const std::size_t brief = until_full(answer_of(8, 900));
  ASSERT_GT(brief, 0u);
  EXPECT_EQ(served.stats().unanswerable, 2u);
  EXPECT_FALSE(requester->gone());

  Caller other = served.caller();  // is not held up
  other.greet("other");
  other.send(request_of(2));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != requester; }));
  served.requests.last()->answer(answer_of(2), false);
  EXPECT_EQ(other.one().attempt, 2u);

  for (std::size_t read = 0; read < large; ++read) ASSERT_EQ(deaf.one().attempt, 1u);  // nothing was lost
  std::vector<std::uint64_t> briefly;
  while (briefly.size() < brief + 1) {
    for (const auto& heard : deaf.frame()) briefly.push_back(heard.attempt);
  }
  EXPECT_EQ(briefly.front(), 7u);
  EXPECT_EQ(std::count(briefly.begin(), briefly.end(), 8u), static_cast<std::ptrdiff_t>(brief));
  EXPECT_EQ(requester->answer(answer_of(3), false), Sent::kYes);
  EXPECT_EQ(deaf.one().attempt, 3u);
}

TEST(CallServerAnswers, SmallOnesOfAnUnreadConnectionWaitAndArriveWhenItReads) {
  auto options = server_options();
  options.peer_queue = 64 * 1024;
  options.lost_after = kFarAway;
  Served served([](const auto&, const Envelope&) {}, options);
  Caller deaf = served.caller(1);
  deaf.greet();
  deaf.send(request_of(1));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != nullptr; }));
  std::uint64_t accepted = 0;
  while (served.requests.last()->answer(answer_of(accepted + 1, 20'000), false) == Sent::kYes) {
    ASSERT_LT(++accepted, 20'000u) << "takes without end";
  }
  std::uint64_t next = 1;
  while (next <= accepted) {
    const auto heard = deaf.frame();
    ASSERT_FALSE(heard.empty());
    for (const Heard& one : heard) ASSERT_EQ(one.attempt, next++);
  }
}

TEST(CallServerStop, EveryRequesterIsGoneAndAnswersAreDown) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  caller.send(request_of(1));
  caller.one();
  const auto requester = served.requests.last();
  served.stop();
  EXPECT_TRUE(requester->gone());
  EXPECT_EQ(requester->answer(answer_of(1), false), Sent::kDown);
  EXPECT_THAT(served.requests.gone(), ElementsAre("caller"));
  EXPECT_EQ(served.stats().connections, 0u);
  served.stop();
}

TEST(CallServerStop, AnswersThatWereAcceptedStillLeave) {
  Served served([](const auto& from, const Envelope& e) { from->answer(answer_of(e.attempt), true); });
  Caller caller = served.caller();
  caller.greet();
  caller.send(requests_of(1, 5'000));
  ASSERT_TRUE(eventually([&] { return served.requests.attempts().size() == 5'000; }));
  served.stop(kFarAway);
  std::size_t answers = 0;
  while (answers < 5'000) {
    const auto heard = caller.frame();
    ASSERT_FALSE(heard.empty());
    answers += heard.size();
  }
}

TEST(CallServerStop, DoesNotWaitForSomebodyWhoReadsNothing) {
  auto options = server_options();
  Served served([](const auto&, const Envelope&) {}, options);
  Caller deaf = served.caller(1);
  deaf.greet();
  deaf.send(request_of(1));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != nullptr; }));
  while (served.requests.last()->answer(answer_of(1, 200'000), false) == Sent::kYes) {
  }
  served.stop(std::chrono::milliseconds(50));  // or this test does not end
}

TEST(CallServerStop, AServerThatWasNeverStartedStops) {
  zmq::context_t context{1};
  CallServer server(context, server_options(), host::Logger());
  server.stop(std::chrono::milliseconds(50));
}

TEST(CallServerStop, UnderLoadNothingHangs) {
  for (int round = 0; round < 10; ++round) {
    std::atomic<bool> done{false};
    Served served;
    Caller caller = served.caller();
    caller.greet();
    std::thread sender([&] {
      for (std::uint64_t attempt = 1; !done; attempt += 16) {
        caller.socket().send(zmq::buffer(requests_of(attempt, 16)), zmq::send_flags::dontwait);
      }
    });
    EXPECT_TRUE(eventually([&] { return served.requests.attempts().size() > 200; }));
    const auto requester = served.requests.last();
    std::atomic<bool> down{false};
    std::thread worker([&] {
      while (requester->answer(answer_of(1), false) != Sent::kDown) {
      }
      down = true;
    });
    served.stop();
    worker.join();
    EXPECT_TRUE(down);
    done = true;
    sender.join();
  }
}

}  // namespace
}  // namespace busbar::testing
