// What operators read of the events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "events/log_observer.hpp"

namespace busbar::host {
namespace {

using ::testing::HasSubstr;

class LogObserverTest : public ::testing::Test {
 protected:
  std::shared_ptr<spdlog::sinks::ostream_sink_mt> sink() {
    return std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
  }
  int lines() const {
    const std::string text = text_.str();
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }
  void emit(EventKind kind, std::string_view service, std::string_view reason = {}) {
    Event event;
    event.kind = kind;
    event.service = service;
    event.reason = reason;
    event.message_id = "the-id";
    event.correlation_id = "the-correlation";
    observer_.on_event(event);
  }
  std::ostringstream text_;
  Logs logs_{LogSettings{}, sink()};
  LogObserver observer_{logs_.get("host.loader"), logs_.get("host.dispatch"), logs_.get("host.cluster")};
};

TEST_F(LogObserverTest, C_D2_WarnsOnceOfAServiceThatNobodyProvidesHoweverOftenItIsCalled) {
  for (int i = 0; i < 100; ++i) emit(EventKind::service_not_found, "gone");
  EXPECT_LE(lines(), 2) << "one, and one more if a second has passed meanwhile";
  EXPECT_GE(lines(), 1);
  EXPECT_THAT(text_.str(), HasSubstr("gone"));
  EXPECT_THAT(text_.str(), HasSubstr("the-id"));
  EXPECT_THAT(text_.str(), HasSubstr("the-correlation"));
  EXPECT_THAT(text_.str(), HasSubstr("warn"));
}

TEST_F(LogObserverTest, C_D2_WarnsOfEachServiceOnItsOwn) {
  emit(EventKind::service_not_found, "first");
  emit(EventKind::service_not_found, "second");
  EXPECT_EQ(lines(), 2);
}

TEST_F(LogObserverTest, C_D17_WarnsOfEveryInlineServiceThatIsTooSlow) {
  emit(EventKind::inline_service_too_slow, "slow", "ran over 1 ms");
  EXPECT_EQ(lines(), 1);
  EXPECT_THAT(text_.str(), HasSubstr("slow"));
  EXPECT_THAT(text_.str(), HasSubstr("warn"));
}

TEST_F(LogObserverTest, C_D14_WarnsOfCirclesAtMostOncePerSecondAndService) {
  for (int i = 0; i < 100; ++i) emit(EventKind::circle_refused, "x", "x@a (1) -> y@b (2) -> x@a (1)");
  EXPECT_LE(lines(), 2) << "one, and one more if a second has passed meanwhile";
  EXPECT_THAT(text_.str(), HasSubstr("x@a (1) -> y@b (2) -> x@a (1)"));
  EXPECT_THAT(text_.str(), HasSubstr("warn"));
}

TEST_F(LogObserverTest, TellsOfPluginsThatFailWithTheReason) {
  emit(EventKind::plugin_failed, "", "no such symbol");
  EXPECT_THAT(text_.str(), HasSubstr("no such symbol"));
  EXPECT_THAT(text_.str(), HasSubstr("error"));
}

TEST_F(LogObserverTest, TellsOfNodesThatComeAndGoWithTheReason) {
  Event event;
  event.node = "b";
  event.kind = EventKind::node_joined;
  observer_.on_event(event);
  event.kind = EventKind::node_left;
  event.reason = "it said goodbye";
  observer_.on_event(event);
  event.node = "c";
  event.reason = "nothing was heard of it";
  observer_.on_event(event);
  EXPECT_THAT(text_.str(), HasSubstr("host.cluster: node joined node=b"));
  EXPECT_THAT(text_.str(), HasSubstr(" info  host.cluster: node left node=b reason=\"it said goodbye\""));
  EXPECT_THAT(text_.str(), HasSubstr(" warn  host.cluster: node left node=c reason=\"nothing was heard of it\""));
  EXPECT_NE(LogObserver::wanted() & mask_of(EventKind::node_joined), 0u);
  EXPECT_NE(LogObserver::wanted() & mask_of(EventKind::node_left), 0u);
}

TEST_F(LogObserverTest, SubscribesToNothingThatEveryCallEmits) {
  for (const EventKind kind :
       {EventKind::discovering_service, EventKind::service_found, EventKind::invoking_service,
        EventKind::service_responded, EventKind::service_request_received, EventKind::executing_service,
        EventKind::execution_finished, EventKind::checking_if_service_call_is_authorized}) {
    EXPECT_EQ(LogObserver::wanted() & mask_of(kind), 0u) << name_of(kind);
  }
}

}  // namespace
}  // namespace busbar::host
