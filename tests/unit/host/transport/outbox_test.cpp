#include "transport/outbox.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>
#include <zmq.hpp>

namespace busbar::host {
namespace {

// A pipe that holds three messages or so, to look at what was sent.
class OutboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    near_.set(zmq::sockopt::sndhwm, 2);
    far_.set(zmq::sockopt::rcvhwm, 1);
    far_.bind("inproc://outbox");
    near_.connect("inproc://outbox");
  }

  static std::vector<std::uint8_t> envelope(std::size_t size, char fill) {
    return std::vector<std::uint8_t>(size, static_cast<std::uint8_t>(fill));
  }
  void append(std::size_t size, char fill) {
    const auto bytes = envelope(size, fill);
    if (size >= LargeEnvelope::kFrom) {
      *held_ += size;
      outbox_.append(LargeEnvelope(bytes, held_));
    } else {
      outbox_.append(bytes);
    }
  }
  // ZeroMQ looks for it only now and then.
  void see_room() { EXPECT_GE(near_.get(zmq::sockopt::events), 0); }
  std::string send_and_receive(std::size_t max_message) {
    zmq::message_t message;
    see_room();
    EXPECT_TRUE(outbox_.send_some(near_.handle(), max_message));
    EXPECT_TRUE(far_.recv(message, zmq::recv_flags::dontwait));
    EXPECT_FALSE(message.more());
    return message.to_string();
  }

  static constexpr std::size_t kNoLimit = 64 * 1024 * 1024;
  zmq::context_t context_;
  zmq::socket_t near_{context_, zmq::socket_type::pair};
  zmq::socket_t far_{context_, zmq::socket_type::pair};
  LargeEnvelope::Held held_ = std::make_shared<std::atomic<std::size_t>>(0);
  Outbox outbox_;
};

TEST_F(OutboxTest, SendsWhatFitsTogether) {
  append(3, 'a');
  append(2, 'b');
  append(4, 'c');
  EXPECT_EQ(outbox_.small_bytes(), 9U);
  EXPECT_EQ(send_and_receive(5), "aaabb");
  EXPECT_EQ(outbox_.small_bytes(), 4U);
  EXPECT_EQ(send_and_receive(5), "cccc");
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, PutsAtMostSoManyIntoABundle) {
  for (std::size_t i = 0; i < Outbox::kBundle + 1; ++i) append(1, 'x');
  EXPECT_EQ(send_and_receive(kNoLimit).size(), Outbox::kBundle);
  EXPECT_EQ(send_and_receive(kNoLimit).size(), 1U);
}

TEST_F(OutboxTest, PutsAtMostSoManyBytesIntoABundleOfSeveral) {
  append(Outbox::kBundleBytes + 1, 'a');
  append(Outbox::kBundleBytes, 'b');
  append(1, 'c');
  EXPECT_EQ(send_and_receive(kNoLimit).size(), Outbox::kBundleBytes + 1);
  EXPECT_EQ(send_and_receive(kNoLimit).size(), Outbox::kBundleBytes);
  EXPECT_EQ(send_and_receive(kNoLimit).size(), 1U);
}

TEST_F(OutboxTest, SendsALargeOneByItselfAndCountsItUntilZeroMqHasDoneWithIt) {
  append(1, 'a');
  append(LargeEnvelope::kFrom, 'b');
  append(1, 'c');
  EXPECT_EQ(*held_, LargeEnvelope::kFrom);
  EXPECT_EQ(send_and_receive(kNoLimit), "a");
  ASSERT_TRUE(outbox_.send_some(near_.handle(), kNoLimit));
  EXPECT_EQ(*held_, LargeEnvelope::kFrom);
  {
    zmq::message_t message;
    ASSERT_TRUE(far_.recv(message, zmq::recv_flags::dontwait));
    EXPECT_EQ(message.to_string(), std::string(LargeEnvelope::kFrom, 'b'));
  }
  EXPECT_EQ(*held_, 0U);
  EXPECT_EQ(send_and_receive(kNoLimit), "c");
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, KeepsWhatTheSocketDoesNotTake) {
  for (int i = 0; i < 3; ++i) {
    append(1, 'a');
    append(LargeEnvelope::kFrom, 'b');
  }
  int sent = 0;
  while (outbox_.send_some(near_.handle(), kNoLimit)) ++sent;
  EXPECT_LT(sent, 6);
  for (int received = 0; received < 6; ++received) {
    zmq::message_t message;
    ASSERT_TRUE(far_.recv(message, zmq::recv_flags::dontwait));
    see_room();
    EXPECT_EQ(message.size(), received % 2 == 0 ? 1 : LargeEnvelope::kFrom);
    while (!outbox_.empty() && outbox_.send_some(near_.handle(), kNoLimit)) {
    }
  }
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, ForgetsWhatIsCleared) {
  append(1, 'a');
  append(LargeEnvelope::kFrom, 'b');
  outbox_.clear();
  EXPECT_TRUE(outbox_.empty());
  EXPECT_EQ(outbox_.small_bytes(), 0U);
  EXPECT_EQ(*held_, 0U);
}

}  // namespace
}  // namespace busbar::host
