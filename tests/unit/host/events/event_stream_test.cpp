// Subscribing to what happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <set>
#include <thread>

#include "support/event_log.hpp"
#include "support/eventually.hpp"

namespace busbar::testing {
namespace {

using host::Event;
using host::EventKind;
using host::EventStream;
using ::testing::ElementsAre;

Event event_of(EventKind kind) {
  Event event;
  event.kind = kind;
  event.service = "service";
  return event;
}

TEST(EventStream, WantsNothingWithoutObservers) {
  EventStream stream;
  EXPECT_FALSE(stream.wants(EventKind::discovering_service));
  stream.emit(event_of(EventKind::discovering_service));
}

TEST(EventStream, ShowsAnObserverTheKindsThatItAskedForOnly) {
  EventStream stream;
  const auto all = std::make_shared<EventLog>();
  const auto some = std::make_shared<EventLog>();
  stream.subscribe(some, mask_of(EventKind::plugin_failed));
  EXPECT_TRUE(stream.wants(EventKind::plugin_failed));
  EXPECT_FALSE(stream.wants(EventKind::plugin_loaded));
  stream.subscribe(all);
  EXPECT_TRUE(stream.wants(EventKind::plugin_loaded));
  stream.emit(event_of(EventKind::plugin_loaded));
  stream.emit(event_of(EventKind::plugin_failed));
  EXPECT_THAT(some->names(), ElementsAre("plugin_failed"));
  EXPECT_THAT(all->names(), ElementsAre("plugin_loaded", "plugin_failed"));
}

TEST(EventStream, ShowsNothingAfterUnsubscribing) {
  EventStream stream;
  const auto log = std::make_shared<EventLog>();
  stream.subscribe(log);
  stream.unsubscribe(log);
  EXPECT_FALSE(stream.wants(EventKind::plugin_loaded));
  stream.emit(event_of(EventKind::plugin_loaded));
  EXPECT_TRUE(log->entries().empty());
}

TEST(EventStream, KeepsAnObserverUntilItIsUnsubscribed) {
  EventStream stream;
  auto log = std::make_shared<EventLog>();
  const std::weak_ptr<EventLog> watched = log;
  stream.subscribe(std::move(log));
  EXPECT_FALSE(watched.expired());
  stream.unsubscribe(watched.lock());
  EXPECT_TRUE(watched.expired());
}

TEST(EventStream, NamesEveryKindByTheContractAndNoTwoAlike) {
  std::set<std::string_view> names;
  for (unsigned i = 0; i <= static_cast<unsigned>(EventKind::circle_refused); ++i) {
    const auto name = name_of(static_cast<EventKind>(i));
    EXPECT_NE(name, "unknown");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(name_of(EventKind::node_left), "node_left");
  EXPECT_EQ(name_of(static_cast<EventKind>(names.size())), "unknown");
  EXPECT_EQ(name_of(EventKind::checking_if_service_call_is_authorized), "checking_if_service_call_is_authorized");
}

// An observer that itself changes the subscriptions: possible because no lock is held while it runs.
class Leaver final : public host::Observer {
 public:
  explicit Leaver(EventStream& stream) : stream_(stream) {}
  void on_event(const Event&) noexcept override {
    ++seen;
    stream_.unsubscribe(self.lock());
  }
  std::weak_ptr<Leaver> self;
  int seen = 0;

 private:
  EventStream& stream_;
};

TEST(EventStream, LetsAnObserverUnsubscribeItselfWhileItIsShownAnEvent) {
  EventStream stream;
  const auto leaver = std::make_shared<Leaver>(stream);
  leaver->self = leaver;
  stream.subscribe(leaver);
  stream.emit(event_of(EventKind::plugin_loaded));
  stream.emit(event_of(EventKind::plugin_loaded));
  EXPECT_EQ(leaver->seen, 1);
}

// Counts for each life of it, and says when it was shown something outside of one.
class Counted final : public host::Observer {
 public:
  void on_event(const Event&) noexcept override {
    if (!subscribed) ++late;
    ++seen;
  }
  std::atomic<bool> subscribed{false};
  std::atomic<int> seen{0}, late{0};
};

TEST(EventStream, ShowsNothingAnyMoreWhenUnsubscribeHasReturnedHoweverManyThreadsEmit) {
  EventStream stream;
  std::atomic<bool> over{false};
  std::vector<std::thread> emitters;
  for (int i = 0; i < 3; ++i) {
    emitters.emplace_back([&] {
      while (!over) stream.emit(event_of(EventKind::plugin_loaded));
    });
  }
  int seen = 0;
  for (int i = 0; i < 50; ++i) {
    const auto counted = std::make_shared<Counted>();
    counted->subscribed = true;
    stream.subscribe(counted);
    const bool shown = eventually([&] { return counted->seen != 0; });
    stream.unsubscribe(counted);
    counted->subscribed = false;
    EXPECT_TRUE(shown);
    EXPECT_EQ(counted.use_count(), 1) << "the stream still has it";
    EXPECT_EQ(counted->late, 0);
    seen = counted->seen;
    std::this_thread::yield();
    EXPECT_EQ(counted->seen, seen);
  }
  over = true;
  for (auto& thread : emitters) thread.join();
}

// Waits inside until it is let go.
class Dawdler final : public host::Observer {
 public:
  void on_event(const Event&) noexcept override {
    inside.count_down();
    leave.wait();
    left = true;
  }
  std::latch inside{1}, leave{1};
  std::atomic<bool> left{false};
};

TEST(EventStream, WaitsInUnsubscribeForAnEventThatIsJustShown) {
  EventStream stream;
  const auto dawdler = std::make_shared<Dawdler>();
  stream.subscribe(dawdler);
  std::thread emitter([&] { stream.emit(event_of(EventKind::plugin_loaded)); });
  dawdler->inside.wait();
  std::atomic<bool> returned{false};
  std::thread leaver([&] {
    stream.unsubscribe(dawdler);
    EXPECT_TRUE(dawdler->left);
    returned = true;
  });
  EXPECT_TRUE(eventually([&] { return !stream.wants(EventKind::plugin_loaded); }));
  EXPECT_FALSE(returned);
  dawdler->leave.count_down();
  leaver.join();
  emitter.join();
}

// Emits another event when it is shown one.
class Echo final : public host::Observer {
 public:
  explicit Echo(EventStream& stream) : stream_(stream) {}
  void on_event(const Event& event) noexcept override {
    if (event.kind == EventKind::plugin_loaded) stream_.emit(event_of(EventKind::plugin_unloaded));
  }

 private:
  EventStream& stream_;
};

TEST(EventStream, LetsAnObserverEmitAndStillWaitsForIt) {
  EventStream stream;
  const auto echo = std::make_shared<Echo>(stream);
  const auto dawdler = std::make_shared<Dawdler>();
  const host::EventMask loaded = mask_of(EventKind::plugin_loaded);
  stream.subscribe(echo, loaded);  // shown first: what it emits has ended before the other is shown this
  stream.subscribe(dawdler, loaded | mask_of(EventKind::node_left));
  const auto log = std::make_shared<EventLog>();
  stream.subscribe(log, mask_of(EventKind::plugin_unloaded));
  std::thread emitter([&] { stream.emit(event_of(EventKind::plugin_loaded)); });
  dawdler->inside.wait();
  EXPECT_THAT(log->names(), ElementsAre("plugin_unloaded"));
  std::thread leaver([&] {
    stream.unsubscribe(dawdler);
    EXPECT_TRUE(dawdler->left);
  });
  EXPECT_TRUE(eventually([&] { return !stream.wants(EventKind::node_left); }));
  dawdler->leave.count_down();
  leaver.join();
  emitter.join();
}

TEST(EventStream, ShowsSeveralKindsOfOneMomentInTheirOrderAndAtOneTime) {
  EventStream stream;
  const auto log = std::make_shared<EventLog>();
  stream.subscribe(log);
  Event event = event_of(EventKind::plugin_loaded);
  stream.emit_as(mask_of(EventKind::invoking_service) | mask_of(EventKind::service_found), event);
  EXPECT_THAT(log->names(), ElementsAre("service_found", "invoking_service"));
}

TEST(EventStream, TellsEveryObserverTheSameTime) {
  Event event = event_of(EventKind::service_responded);
  EXPECT_EQ(event.duration(), 0) << "it says none";
  event.begun = host::ticks();
  const auto first = event.duration();
  EXPECT_GT(first, 0);
  EXPECT_EQ(event.at(), event.at());
}

TEST(EventStream, ToleratesObserversThatComeAndGoWhileOthersEmit) {
  EventStream stream;
  const auto steady = std::make_shared<EventLog>();
  stream.subscribe(steady);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) stream.emit(event_of(EventKind::plugin_loaded));
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const auto log = std::make_shared<EventLog>();
        stream.subscribe(log);
        stream.unsubscribe(log);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(steady->entries().size(), 1000u);
}

}  // namespace
}  // namespace busbar::testing
