// Whatever is said is read, though ZeroMQ tells of it only once.
#include "net/plane.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include "support/eventually.hpp"

namespace busbar::registry::net {
namespace {

using busbar::testing::kFarAway;

Plane::Options options() {
  Plane::Options out;
  out.listen = "tcp://127.0.0.1:*";
  out.sockets.high_water_mark = 100'000;
  return out;
}

zmq::message_t message(const std::string& text) { return zmq::message_t(text.data(), text.size()); }

/// Waits and receives until `take` says, of one of the events, that it was the last. Never looks without having been
/// woken; false: nobody woke it.
bool receive_until(Plane& plane, const std::function<bool(const PlaneEvent&)>& take) {
  const Time until = Time::clock::now() + kFarAway;
  while (Time::clock::now() < until) {
    plane.wait(until);
    bool is_last = false;
    for (const PlaneEvent& event : plane.receive()) is_last = take(event) || is_last;
    if (is_last) return true;
  }
  return false;
}

template <class Kind>
bool receive_one(Plane& plane) {
  return receive_until(plane, [](const PlaneEvent& event) { return std::holds_alternative<Kind>(event); });
}

TEST(Plane, MoreThanABatchThatHasArrivedIsReadToTheEnd) {
  constexpr int kCount = 2'000;
  Plane a(options()), b(options());
  b.connect(LinkId{1}, a.bound(), "");
  ASSERT_TRUE(receive_one<LinkUp>(b));
  for (int i = 0; i < kCount; ++i) {
    auto bytes = message(std::to_string(i));
    b.send(LinkId{1}, bytes);
  }
  int count = 0;
  CallerId caller{};
  EXPECT_TRUE(receive_until(a, [&](const PlaneEvent& event) {
    const auto* said = std::get_if<CallerSaid>(&event);
    if (said == nullptr) return false;
    EXPECT_EQ(said->bytes.to_string(), std::to_string(count));
    caller = said->caller;
    return ++count == kCount;
  })) << count;
  for (int i = 0; i < kCount; ++i) {
    auto bytes = message("answer");
    a.send(caller, bytes);
  }
  count = 0;
  EXPECT_TRUE(receive_until(b, [&](const PlaneEvent& event) {
    return std::holds_alternative<LinkSaid>(event) && ++count == kCount;
  })) << count;
}

// What one of them says while the other does may be noticed by the sending, and is not told of again.
TEST(Plane, WhatComesWhileItSpeaksItselfIsRead) {
  constexpr int kTurns = 3'000;
  Plane a(options()), b(options());
  b.connect(LinkId{1}, a.bound(), "");
  ASSERT_TRUE(receive_one<LinkUp>(b));
  std::thread other([&] {
    int heard = 0;
    EXPECT_TRUE(receive_until(a, [&](const PlaneEvent& event) {
      const auto* said = std::get_if<CallerSaid>(&event);
      if (said == nullptr) return false;
      for (int i = 0; i < 3; ++i) {
        auto bytes = message("answer");
        a.send(said->caller, bytes);
      }
      return ++heard == kTurns;
    })) << heard;
  });
  auto first = message("question");
  b.send(LinkId{1}, first);
  int heard = 0;
  EXPECT_TRUE(receive_until(b, [&](const PlaneEvent& event) {
    if (!std::holds_alternative<LinkSaid>(event)) return false;
    auto bytes = message("question");
    if (heard < kTurns - 1) b.send(LinkId{1}, bytes);  // one for each of the first answers, so that there are many
    return ++heard == 3 * kTurns;
  })) << heard;
  other.join();
}

TEST(Plane, ALinkThatWasClosedIsNotHeardOfAnyMore) {
  Plane a(options()), b(options());
  b.connect(LinkId{1}, a.bound(), "");
  b.connect(LinkId{2}, a.bound(), "");
  int up = 0;
  ASSERT_TRUE(
      receive_until(b, [&](const PlaneEvent& event) { return std::holds_alternative<LinkUp>(event) && ++up == 2; }));
  b.close(LinkId{1});
  auto bytes = message("question");
  b.send(LinkId{2}, bytes);
  CallerId caller{};
  ASSERT_TRUE(receive_until(a, [&](const PlaneEvent& event) {
    if (const auto* said = std::get_if<CallerSaid>(&event)) caller = said->caller;
    return std::holds_alternative<CallerSaid>(event);
  }));
  bytes = message("answer");
  a.send(caller, bytes);
  EXPECT_TRUE(receive_until(b, [](const PlaneEvent& event) {
    const auto* said = std::get_if<LinkSaid>(&event);
    return said != nullptr && said->link == LinkId{2};
  }));
}

TEST(Plane, IsWokenByTheBellOnce) {
  Plane plane(options());
  plane.wait(Time::clock::now());
  plane.receive();
  plane.ring();
  const Time until = Time::clock::now() + kFarAway;
  plane.wait(until);
  EXPECT_LT(Time::clock::now(), until);
  const Time soon = Time::clock::now() + std::chrono::milliseconds(20);
  plane.wait(soon);
  EXPECT_GE(Time::clock::now(), soon) << "it rings no more";
}

}  // namespace
}  // namespace busbar::registry::net
