// The last events of a host, kept while many threads emit.
#include "events/event_history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace busbar::host {
namespace {

using ::testing::ElementsAre;

Event about(EventKind kind, std::string_view service, std::string_view id) {
  Event event;
  event.kind = kind;
  event.service = service;
  event.message_id = id;
  event.correlation_id = id;
  event.node = "a";
  return event;
}

std::vector<std::string> services(const EventHistory::Page& page) {
  std::vector<std::string> out;
  for (const KeptEvent& event : page.events) out.push_back(event.service);
  return out;
}

TEST(EventHistory, IsEmptyAtFirst) {
  const EventHistory history;
  EXPECT_TRUE(history.read().events.empty());
  EXPECT_EQ(history.read().missed, 0u);
}

TEST(EventHistory, KeepsAllThatAnEventSays) {
  EventHistory history;
  Event event = about(EventKind::service_responded, "greet", "id");
  event.correlation_id = "correlation";
  event.begun = ticks() - 10'000'000;
  event.response = Response::Kind::error;
  event.code = "badrpc";
  event.reason = "exit";
  history.on_event(event);
  Event plugin;
  plugin.kind = EventKind::plugin_failed;
  plugin.node = "a";
  plugin.plugin = "greeter";
  plugin.file = "greeter.so";
  plugin.reason = "no such symbol";
  history.on_event(plugin);
  Event received = about(EventKind::service_request_received, "greet", "id");
  received.origin = "b";
  received.is_public = false;
  history.on_event(received);
  Event answered = about(EventKind::service_responded, "greet", "id");
  answered.response = Response::Kind::created;
  history.on_event(answered);

  const auto page = history.read();
  ASSERT_EQ(page.events.size(), 4u);
  EXPECT_EQ(page.events[0].response, Response::Kind::error);
  EXPECT_EQ(page.events[0].code, "badrpc");
  EXPECT_EQ(page.events[0].reason, "exit");
  EXPECT_EQ(page.events[1].response, Response::Kind::none);
  EXPECT_EQ(page.events[1].code, "");
  EXPECT_EQ(page.events[3].response, Response::Kind::created);
  EXPECT_EQ(page.events[3].code, "");
  EXPECT_EQ(page.events[0].kind, EventKind::service_responded);
  EXPECT_EQ(page.events[0].service, "greet");
  EXPECT_EQ(page.events[0].message_id, "id");
  EXPECT_EQ(page.events[0].correlation_id, "correlation");
  EXPECT_EQ(page.events[0].node, "a");
  EXPECT_GT(page.events[0].duration, kMicrosecond);
  EXPECT_TRUE(page.events[0].is_public);
  EXPECT_EQ(page.events[1].plugin, "greeter");
  EXPECT_EQ(page.events[1].file, "greeter.so");
  EXPECT_EQ(page.events[1].reason, "no such symbol");
  EXPECT_EQ(page.events[1].service, "") << "nothing of the one before";
  EXPECT_EQ(page.events[1].duration, 0);
  EXPECT_EQ(page.events[2].origin, "b");
  EXPECT_FALSE(page.events[2].is_public);
  EXPECT_EQ(page.events[2].correlation_id, "id");
}

WholeCall whole_call(bool handled) {
  WholeCall call;
  call.handled = handled;
  call.is_public = false;
  call.service = "greet";
  call.message_id = "id";
  call.correlation_id = "correlation";
  call.node = "a";
  call.origin = "b";
  call.plugin = "greeter";
  call.begun = ticks() - 30'000'000;
  call.ran_until = call.begun + 10'000'000;
  call.ended = call.begun + 20'000'000;
  call.response = handled ? Response::Kind::ok : Response::Kind::error;
  if (!handled) call.code = "forbidden";
  return call;
}

TEST(EventHistory, ShowsACallThatWasToldOfAsAWholeAsTheEventsThatItStandsFor) {
  EventHistory history;
  history.on_whole_call(whole_call(true));
  const auto page = history.read();
  std::vector<EventKind> kinds;
  for (const KeptEvent& event : page.events) {
    kinds.push_back(event.kind);
    EXPECT_EQ(event.service, "greet");
    EXPECT_EQ(event.message_id, "id");
    EXPECT_EQ(event.correlation_id, "correlation");
    EXPECT_EQ(event.node, "a");
    EXPECT_FALSE(event.is_public);
    const bool is_received = event.kind == EventKind::service_request_received;
    EXPECT_EQ(event.origin, is_received ? "b" : "");
    EXPECT_EQ(event.plugin, is_received ? "greeter" : "");
  }
  EXPECT_EQ(kinds,
            (std::vector{EventKind::discovering_service, EventKind::service_found, EventKind::invoking_service,
                         EventKind::service_request_received, EventKind::checking_if_service_call_is_authorized,
                         EventKind::executing_service, EventKind::execution_finished, EventKind::service_responded}));
  ASSERT_EQ(page.events.size(), 8u);
  EXPECT_EQ(page.events[5].duration, 0);
  EXPECT_GT(page.events[6].duration, 0);
  EXPECT_GT(page.events[7].duration, page.events[6].duration);
  EXPECT_EQ(page.events[7].response, Response::Kind::ok);
}

TEST(EventHistory, OfACallThatWasForbiddenShowsNoHandler) {
  EventHistory history;
  history.on_whole_call(whole_call(false));
  const auto page = history.read();
  ASSERT_EQ(page.events.size(), 6u);
  EXPECT_EQ(page.events[5].kind, EventKind::service_responded);
  EXPECT_EQ(page.events[5].code, "forbidden");
}

TEST(EventHistory, GoesOnBehindOrInsideACallThatWasToldOfAsAWhole) {
  EventHistory history;
  history.on_event(about(EventKind::discovering_service, "before", "1"));
  history.on_whole_call(whole_call(true));
  history.on_event(about(EventKind::discovering_service, "after", "2"));
  auto first = history.read();
  EXPECT_EQ(first.next.total, 10u);
  ASSERT_EQ(first.next.blocks.size(), 1u);
  history.on_whole_call(whole_call(false));
  const auto then = history.read(&first.next);
  EXPECT_EQ(then.events.size(), 6u);
  EXPECT_EQ(then.missed, 0u);
  first.next.blocks[0].events = 4;  // as a cursor that was made up may say
  const auto inside = history.read(&first.next);
  ASSERT_EQ(inside.events.size(), 12u);
  EXPECT_EQ(services(inside).back(), "after");
}

TEST(EventHistory, TellsMessagesApartThatShareSomeTexts) {
  EventHistory history;
  history.on_event(about(EventKind::executing_service, "one", "id"));
  history.on_event(about(EventKind::executing_service, "two", "id"));
  Event other = about(EventKind::executing_service, "two", "id");
  other.correlation_id = "dd";
  history.on_event(other);
  other.node = "b";
  history.on_event(other);
  const auto page = history.read();
  ASSERT_EQ(page.events.size(), 4u);
  EXPECT_THAT(services(page), ElementsAre("one", "two", "two", "two"));
  EXPECT_EQ(page.events[2].correlation_id, "dd");
  EXPECT_EQ(page.events[2].node, "a");
  EXPECT_EQ(page.events[3].node, "b");
}

TEST(EventHistory, SaysWhenItWasByTheClockOfPeople) {
  EventHistory history;
  const auto now = [] { return std::chrono::system_clock::now().time_since_epoch(); };
  const Nanos before = std::chrono::nanoseconds(now()).count();
  history.on_event(about(EventKind::executing_service, "s", "id"));
  const Nanos after = std::chrono::nanoseconds(now()).count();
  const Nanos at = history.read().events.at(0).at;
  EXPECT_GE(at, before - kMillisecond);  // the counter is not the clock
  EXPECT_LE(at, after + kMillisecond);
}

TEST(EventHistory, CutsLongTextsBetweenCharacters) {
  EventHistory history;
  std::string reason(EventHistory::kLongestText - 1, 'x');
  reason += "\u00e9 and more";
  Event event;
  event.kind = EventKind::plugin_failed;
  event.reason = reason;
  const std::string long_name(100'000, 'n');
  event.plugin = event.file = event.service = event.node = event.origin = event.message_id = long_name;
  history.on_event(event);
  const auto page = history.read();
  ASSERT_EQ(page.events.size(), 1u);
  EXPECT_EQ(page.events[0].reason, std::string(EventHistory::kLongestText - 1, 'x'));
  EXPECT_EQ(page.events[0].plugin.size(), 255u);
}

TEST(EventHistory, ShowsTheLastThousandOldestFirst) {
  EventHistory history;
  std::vector<std::string> ids;
  for (int i = 0; i < 5'000; ++i) {
    ids.push_back("id-" + std::to_string(i));
    history.on_event(about(EventKind::executing_service, "s", ids.back()));
  }
  const auto page = history.read();
  ASSERT_EQ(page.events.size(), EventHistory::kShown);
  for (std::size_t i = 0; i < page.events.size(); ++i) EXPECT_EQ(page.events[i].message_id, ids[4'000 + i]);
  EXPECT_EQ(page.missed, 0u) << "nothing was promised before";
}

TEST(EventHistory, GoesOnWhereAReaderWas) {
  EventHistory history;
  history.on_event(about(EventKind::executing_service, "one", "1"));
  const auto first = history.read();
  EXPECT_THAT(services(first), ElementsAre("one"));
  auto next = history.read(&first.next);
  EXPECT_TRUE(next.events.empty());
  history.on_event(about(EventKind::executing_service, "two", "2"));
  std::thread([&] { history.on_event(about(EventKind::executing_service, "three", "3")); }).join();
  next = history.read(&next.next);
  EXPECT_THAT(services(next), ElementsAre("two", "three"));
  EXPECT_EQ(next.missed, 0u);
  EXPECT_TRUE(history.read(&next.next).events.empty());
}

TEST(EventHistory, TellsAReaderHowManyItMissed) {
  EventHistory history;
  history.on_event(about(EventKind::executing_service, "s", "first"));
  const auto first = history.read();
  for (int i = 0; i < 10'000; ++i) history.on_event(about(EventKind::executing_service, "s", std::to_string(i)));
  const auto next = history.read(&first.next);
  EXPECT_EQ(next.events.size(), EventHistory::kShown);
  EXPECT_EQ(next.missed, 9'000u);
  EXPECT_EQ(next.events.back().message_id, "9999");
  EXPECT_EQ(history.read(&next.next).missed, 0u);
}

TEST(EventHistory, SurvivesCursorsThatWereMadeUp) {
  EventHistory history;
  for (int i = 0; i < 500; ++i) history.on_event(about(EventKind::executing_service, "s", std::to_string(i)));
  for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{7}, ~std::uint64_t{0}}) {
    EventHistory::Cursor cursor;
    for (std::uint64_t block = 0; block < 20; ++block) cursor.blocks.push_back({block, wrong});
    cursor.total = wrong;
    EXPECT_LE(history.read(&cursor).events.size(), EventHistory::kShown);
  }
}

TEST(EventHistory, KeepsWhatThreadsWroteThatHaveEnded) {
  EventHistory history;
  for (int i = 0; i < 50; ++i) {
    std::thread([&] { history.on_event(about(EventKind::executing_service, "s", std::to_string(i))); }).join();
  }
  const auto page = history.read();
  ASSERT_EQ(page.events.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(page.events[static_cast<std::size_t>(i)].message_id, std::to_string(i));
}

TEST(EventHistory, ForgetsTheOldestBlocksOfThreadsThatEndAfterOneEventAndCountsThem) {
  constexpr std::size_t kThreads = 200;
  EventHistory history;
  const EventHistory::Page before = history.read();
  for (std::size_t i = 0; i < kThreads; ++i) {
    std::thread([&] { history.on_event(about(EventKind::executing_service, "s", std::to_string(i))); }).join();
  }
  const auto page = history.read(&before.next);
  EXPECT_EQ(page.events.size(), 128u);
  EXPECT_EQ(page.missed, kThreads - 128);
  EXPECT_EQ(page.events.back().message_id, std::to_string(kThreads - 1));
}

TEST(EventHistory, TellsTimesInTheOrderOfTheEventsOnWhateverThreadTheyHappened) {
  EventHistory history;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 400; ++i) history.on_event(about(EventKind::executing_service, "s", std::to_string(i)));
    });
  }
  for (auto& thread : threads) thread.join();
  const auto page = history.read();
  ASSERT_EQ(page.events.size(), EventHistory::kShown);
  for (std::size_t i = 1; i < page.events.size(); ++i) EXPECT_LE(page.events[i - 1].at, page.events[i].at);
}

TEST(EventHistory, TellsADurationByTheClockAndNoEventEndsBeforeItBegan) {
  EventHistory history;
  Event event = about(EventKind::service_responded, "s", "id");
  const Nanos begun = now_ns();
  event.begun = ticks();
  while (now_ns() - begun < 5 * kMillisecond) {
  }
  history.on_event(event);
  const Nanos ended = now_ns();
  event.begun = ticks() + 1'000'000'000;  // as where two processors' counters differ
  event.read_at = 0;
  history.on_event(event);
  const auto page = history.read();
  EXPECT_GE(page.events.at(0).duration, 4 * kMillisecond);  // the counter is not the clock
  EXPECT_LE(page.events.at(0).duration, ended - begun + kMillisecond);
  EXPECT_EQ(page.events.at(1).duration, 1);
}

TEST(EventHistory, MayGoBeforeTheThreadsThatWroteToIt) {
  std::latch written(1), gone(1);
  auto history = std::make_unique<EventHistory>();
  std::thread thread([&] {
    history->on_event(about(EventKind::executing_service, "s", "id"));
    written.count_down();
    gone.wait();
    EventHistory another;
    another.on_event(about(EventKind::executing_service, "s", "other"));
    EXPECT_EQ(another.read().events.size(), 1u);
  });
  written.wait();
  history.reset();
  gone.count_down();
  thread.join();
}

// What one thread causes on another is never read without its cause, or before it; and of what is read nothing is
// missing but what is told.
TEST(EventHistory, IsReadInOrderAndInFullWhileThreadsEmit) {
  EventHistory history;
  std::atomic<int> turn{0};
  constexpr int kTurns = 4'000;
  const auto player = [&](int mine) {
    for (int i = mine; i < kTurns; i += 2) {
      while (turn.load(std::memory_order_acquire) != i) std::this_thread::yield();
      history.on_event(about(EventKind::executing_service, "s", std::to_string(i)));
      turn.store(i + 1, std::memory_order_release);
    }
  };
  std::uint64_t counted = 0;
  int last = -1;
  EventHistory::Page page = history.read();
  std::thread first(player, 0), second(player, 1);
  const auto take = [&] {
    counted += page.events.size() + page.missed;
    for (const KeptEvent& event : page.events) {
      const int number = std::stoi(event.message_id);
      EXPECT_GT(number, last);
      if (page.missed == 0) {
        EXPECT_EQ(number, last + 1);
      }
      page.missed = 0;
      last = number;
    }
  };
  take();
  while (counted < kTurns) {
    const auto before = page.next;
    page = history.read(&before);
    take();
  }
  first.join();
  second.join();
  EXPECT_EQ(counted, static_cast<std::uint64_t>(kTurns));
  EXPECT_EQ(last, kTurns - 1);
}

TEST(EventHistory, CountsEveryEventWhileManyThreadsEmit) {
  EventHistory history;
  std::vector<std::thread> threads;
  constexpr int kEach = 5'000;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) history.on_event(about(EventKind::executing_service, "s", std::to_string(i)));
    });
  }
  std::uint64_t counted = 0;
  EventHistory::Page page = history.read(nullptr);
  EventHistory::Cursor from_the_start;
  while (counted < 4 * kEach) {
    page = history.read(&from_the_start);
    counted += page.events.size() + page.missed;
    from_the_start = page.next;
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counted, 4u * kEach);
}

}  // namespace
}  // namespace busbar::host
