// Subscribing to what happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "support/event_log.hpp"

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
  for (unsigned i = 0; i <= static_cast<unsigned>(EventKind::plugin_failed); ++i) {
    const auto name = name_of(static_cast<EventKind>(i));
    EXPECT_NE(name, "unknown");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
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
