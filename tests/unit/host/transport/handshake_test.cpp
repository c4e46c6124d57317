// What is said first on a connection, and who is taken for whom.
#include "transport/handshake.hpp"

#include <gmock/gmock.h>

namespace busbar::host {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Optional;
using wire::EnvelopeType;

CallPlaneOptions own() {
  CallPlaneOptions options;
  options.node = "me";
  options.cluster = "test";
  options.incarnation = [] { return std::uint64_t{3}; };
  options.max_message = 5'000;
  return options;
}

// What node "other" says in answer.
wire::Envelope welcome() {
  wire::Envelope envelope;
  envelope.type = EnvelopeType::welcome;
  envelope.major = wire::kCallProtocolMajor;
  envelope.cluster = "test";
  envelope.node = "other";
  envelope.incarnation = 7;
  envelope.max_message = kLeastMaxMessage;
  return envelope;
}

std::optional<std::string> judged(const wire::Envelope& envelope) { return judge_welcome(envelope, own(), "other", 7); }

class Introduction : public ::testing::TestWithParam<EnvelopeType> {};

TEST_P(Introduction, SaysAllThatTheOtherSideJudges) {
  const CallPlaneOptions options = own();
  const auto bytes = introduction(GetParam(), options);
  wire::Bytes rest(bytes);
  const wire::Envelope envelope = wire::read_envelope(rest);
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(envelope.type, GetParam());
  EXPECT_EQ(envelope.major, wire::kCallProtocolMajor);
  EXPECT_EQ(envelope.minor, wire::kCallProtocolMinor);
  EXPECT_EQ(envelope.cluster, "test");
  EXPECT_EQ(envelope.node, "me");
  EXPECT_EQ(envelope.incarnation, 3U);
  EXPECT_EQ(envelope.role, wire::Role::node);
  EXPECT_EQ(envelope.max_message, 5'000U);
}

INSTANTIATE_TEST_SUITE_P(Both, Introduction, ::testing::Values(EnvelopeType::hello, EnvelopeType::welcome),
                         [](const auto& test) { return test.param == EnvelopeType::hello ? "Hello" : "Welcome"; });

// What is said of oneself must be what the connection's key says.
TEST(Hello, IsThatOfItsKey) {
  const auto refused = [](std::string_view name, wire::Role role, const keys::Identity& proven) {
    wire::Envelope hello = welcome();
    hello.type = EnvelopeType::hello;
    hello.node = name;
    hello.role = role;
    const auto refusal = judge_hello(hello, own(), &proven);
    return refusal ? std::string(refusal->code) : std::string();
  };
  const keys::Identity node{"a", keys::Role::node}, client{"ada", keys::Role::client};
  const keys::Identity deployer{"dora", keys::Role::deployer};
  EXPECT_EQ(refused("a", wire::Role::node, node), "");
  EXPECT_EQ(refused("b", wire::Role::node, node), "key");
  EXPECT_EQ(refused("a", wire::Role::client, node), "") << "a node may call as a client";
  EXPECT_EQ(refused("ada", wire::Role::client, client), "");
  EXPECT_EQ(refused("", wire::Role::client, client), "") << "it is called as its key says";
  EXPECT_EQ(refused("a", wire::Role::client, client), "key");
  EXPECT_EQ(refused("ada", wire::Role::node, client), "key");
  EXPECT_EQ(refused("dora", wire::Role::client, deployer), "");
  EXPECT_EQ(refused("dora", wire::Role::node, deployer), "key");
}

TEST(Welcome, OfWhomWeDialledIsTaken) { EXPECT_EQ(judged(welcome()), std::nullopt); }

TEST(Welcome, WhatIsAnotherIsToldWithWhatWasExpected) {
  auto envelope = welcome();
  envelope.cluster = "production";
  EXPECT_THAT(judged(envelope), Optional(AllOf(HasSubstr("cluster 'production'"), HasSubstr("expected 'test'"))));
  envelope = welcome();
  envelope.node = "someone";
  EXPECT_THAT(judged(envelope), Optional(AllOf(HasSubstr("node 'someone'"), HasSubstr("expected 'other'"))));
  envelope = welcome();
  envelope.incarnation = 8;
  EXPECT_THAT(judged(envelope), Optional(AllOf(HasSubstr("incarnation '8'"), HasSubstr("expected '7'"))));
  envelope = welcome();
  envelope.major = 2;
  EXPECT_THAT(judged(envelope), Optional(AllOf(HasSubstr("protocol '2'"), HasSubstr("cannot call each other"))));
  envelope = welcome();
  envelope.max_message = kLeastMaxMessage - 1;
  EXPECT_THAT(judged(envelope), Optional(AllOf(HasSubstr("at most 1023 bytes"), HasSubstr("at least 1024"))));
}

TEST(Welcome, ARefusalIsToldInTheOthersWordsWhateverItsVersion) {
  auto envelope = welcome();
  envelope.type = EnvelopeType::refused;
  envelope.major = 2;
  envelope.text = "the older one must be updated";
  EXPECT_THAT(judged(envelope), Optional(HasSubstr("the older one must be updated")));
}

TEST(Welcome, SomethingElseIsNone) {
  auto envelope = welcome();
  envelope.type = EnvelopeType::answer;
  EXPECT_THAT(judged(envelope), Optional(HasSubstr("before its welcome")));
}

TEST(Welcome, AForeignTextIsShownCut) {
  auto envelope = welcome();
  const std::string endless(100'000, 'x');
  envelope.cluster = endless;
  EXPECT_LT(judged(envelope)->size(), 200U);
}

}  // namespace
}  // namespace busbar::host
