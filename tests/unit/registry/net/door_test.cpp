// Who is hung up on, at real connections to a socket that listens.
#include "busbar/registry/net/door.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace busbar::registry::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

/// Both ends of a connection: as libzmq would have it, and as who has opened it does.
struct Ends {
  int ours = -1;
  int theirs = -1;
};

class DoorTest : public ::testing::Test {
 protected:
  DoorTest() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size);
  }
  ~DoorTest() override {
    for (const Ends& ends : all_) {
      ::close(ends.ours);
      ::close(ends.theirs);
    }
    ::close(listener_);
  }

  /// `from`: the last byte of a loopback address.
  Ends connect(int from = 1) {
    Ends ends;
    ends.theirs = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(0x7F000000U + static_cast<unsigned>(from));
    EXPECT_EQ(::bind(ends.theirs, reinterpret_cast<sockaddr*>(&own), sizeof own), 0);
    EXPECT_EQ(::connect(ends.theirs, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    ends.ours = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    all_.push_back(ends);
    return ends;
  }
  /// As libzmq does it when it tells of a disconnect.
  void end(const Ends& ends) {
    door().disconnected(ends.ours, now_);
    ::close(ends.ours);
    std::erase_if(all_, [&](const Ends& one) { return one.ours == ends.ours; });
    ::close(ends.theirs);
  }
  static bool is_hung_up(const Ends& ends) {
    char byte = 0;
    return ::recv(ends.theirs, &byte, 1, MSG_DONTWAIT) == 0;
  }

  Door& door() {
    if (!door_) {
      door_.emplace("calls", limits_, nullptr, false, [this](auto, TurnedAway why, auto who, auto) {
        told_.push_back(std::string(name_of(why)));
        who_ = who;
      });
      door_->listens_at("tcp://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)));
    }
    return *door_;
  }
  Ends comes(int from = 1) {
    const Ends ends = connect(from);
    door().accepted(ends.ours, now_);
    return ends;
  }

  DoorLimits limits_;
  Door::Time now_{std::chrono::hours(1)};
  std::vector<std::string> told_;
  std::string who_;
  std::vector<Ends> all_;

 private:
  int listener_;
  sockaddr_in address_{};
  std::optional<Door> door_;
};

TEST_F(DoorTest, WhoSaysWhoItIsStays) {
  const Ends ends = comes();
  door().greeted(ends.ours, "alpha");
  now_ += 1h;
  door().tick(now_);
  EXPECT_FALSE(is_hung_up(ends));
  EXPECT_FALSE(door().has_strangers());
  EXPECT_THAT(door().who(ends.ours), ::testing::StartsWith("alpha at 127.0.0.1:"));
  end(ends);
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(door().size(), 0U);
}

TEST_F(DoorTest, WhoDoesNotSoInTimeIsHungUpOn) {
  const Ends ends = comes();
  now_ += limits_.greeting - 1ms;
  door().tick(now_);
  EXPECT_FALSE(is_hung_up(ends));
  now_ += 1ms;
  door().tick(now_);
  EXPECT_TRUE(is_hung_up(ends));
  EXPECT_THAT(told_, ElementsAre("too_slow"));
  end(ends);
  EXPECT_THAT(told_, ElementsAre("too_slow")) << "its end is no news";
}

TEST_F(DoorTest, OfTooManyStrangersTheOldestGoes) {
  limits_.strangers = 2;
  const Ends greeted = comes();
  door().greeted(greeted.ours, "alpha");
  const Ends first = comes();
  const Ends second = comes();
  EXPECT_THAT(told_, IsEmpty());
  const Ends third = comes();
  EXPECT_TRUE(is_hung_up(first));
  EXPECT_FALSE(is_hung_up(second));
  EXPECT_FALSE(is_hung_up(third));
  EXPECT_FALSE(is_hung_up(greeted));
  EXPECT_THAT(told_, ElementsAre("too_many"));
}

TEST_F(DoorTest, OfTooManyConnectionsNoneThatIsGreetedGoes) {
  limits_.connections = 2;
  const Ends first = comes();
  const Ends second = comes();
  door().greeted(first.ours, "alpha");
  door().greeted(second.ours, "beta");
  const Ends third = comes();
  EXPECT_TRUE(is_hung_up(third));
  EXPECT_FALSE(is_hung_up(first));
  EXPECT_FALSE(is_hung_up(second));
  end(third);
  end(first);
  EXPECT_FALSE(is_hung_up(comes())) << "there is room again";
}

TEST_F(DoorTest, OneAddressMayNotComeTooFast) {
  limits_.handshakes = 3;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(is_hung_up(comes()));
  EXPECT_TRUE(is_hung_up(comes()));
  EXPECT_THAT(told_, ElementsAre("too_fast"));
  EXPECT_FALSE(is_hung_up(comes(2))) << "another address has no part in it";
  now_ += 1s;
  EXPECT_FALSE(is_hung_up(comes()));
}

TEST_F(DoorTest, WhoDoesWrongTooOftenStaysOutsideForAWhile) {
  limits_.protocol_errors = 2;
  limits_.shut_out = 30s;
  const Ends bad = comes();
  door().greeted(bad.ours, "alpha");
  EXPECT_FALSE(door().misbehaved(bad.ours, nullptr, TurnedAway::malformed, "", now_));
  EXPECT_FALSE(door().misbehaved(bad.ours, nullptr, TurnedAway::malformed, "", now_));
  EXPECT_TRUE(door().misbehaved(bad.ours, nullptr, TurnedAway::malformed, "", now_));
  EXPECT_TRUE(is_hung_up(bad));
  EXPECT_TRUE(is_hung_up(comes())) << "whichever connection it has";
  EXPECT_FALSE(is_hung_up(comes(2)));
  now_ += 30s;
  EXPECT_FALSE(is_hung_up(comes()));
}

TEST_F(DoorTest, ErrorsAreForgottenAfterAMinute) {
  limits_.protocol_errors = 2;
  const Ends bad = comes();
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(door().misbehaved(bad.ours, nullptr, TurnedAway::malformed, "", now_)) << i;
    now_ += 30s;
  }
}

TEST_F(DoorTest, AHandshakeThatEndsCountsAsAnError) {
  limits_.protocol_errors = 2;
  for (int i = 0; i < 3; ++i) end(comes());
  EXPECT_THAT(told_, ElementsAre("not_greeted", "not_greeted", "not_greeted"));
  EXPECT_TRUE(is_hung_up(comes()));
}

TEST_F(DoorTest, WhoHasShownAKeyAnswersForItAndNotForItsAddress) {
  limits_.protocol_errors = 1;
  const auto key = keys::make_secret_key().public_key();
  const Ends first = comes();
  door().strange(first.ours, &key, "rubbish", now_);
  EXPECT_FALSE(is_hung_up(first));
  door().strange(first.ours, &key, "rubbish", now_);
  EXPECT_TRUE(is_hung_up(first));
  EXPECT_FALSE(is_hung_up(comes())) << "another one at that address";
}

TEST_F(DoorTest, EachReasonIsExplained) {
  for (const char* page : {"/security.md", "/man/busbar-status.1"}) {
    std::ifstream file(std::string(BUSBAR_DOCS) + page);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::size_t i = 0; i < kTurnedAwayKinds; ++i) {
      EXPECT_THAT(text, ::testing::HasSubstr(std::string(name_of(static_cast<TurnedAway>(i))))) << page;
    }
  }
}

TEST_F(DoorTest, WhoHasGoneBeforeItWasLookedAtIsCounted) {
  const Ends gone = connect();
  ::close(std::exchange(all_.back().ours, -1));
  door().accepted(gone.ours, now_);
  EXPECT_THAT(told_, IsEmpty());
  door().disconnected(gone.ours, now_);
  EXPECT_THAT(told_, ElementsAre("not_greeted"));
  EXPECT_EQ(who_, "somebody who has gone");
}

// A descriptor that has become another connection's, or something else, is nobody's to be ended.
TEST_F(DoorTest, WhatIsAnothersByNowIsNotTouched) {
  const Ends first = comes();
  const Ends other = connect(2);
  ASSERT_EQ(::dup2(other.ours, first.ours), first.ours);
  door().hang_up(first.ours);
  EXPECT_FALSE(is_hung_up(other));
  int elsewhere[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, elsewhere), 0);
  limits_.strangers = 0;
  door().accepted(elsewhere[0], now_);
  EXPECT_EQ(::send(elsewhere[1], "x", 1, MSG_NOSIGNAL), 1) << "no connection to where is listened";
  ::close(elsewhere[0]);
  ::close(elsewhere[1]);
}

}  // namespace
}  // namespace busbar::registry::net
