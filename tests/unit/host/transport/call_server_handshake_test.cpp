// Who is let in, who is refused in which words, and who has gone.
#include <gmock/gmock.h>
#include <signal.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "call_server_testing.hpp"

namespace busbar::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CallServerHandshake, WelcomesAHelloAndSaysWhoItIs) {
  Served served;
  Caller caller = served.caller();
  caller.send(hello_envelope());
  const Heard heard = caller.one();
  EXPECT_EQ(heard.type, EnvelopeType::welcome);
  EXPECT_EQ(heard.major, wire::kCallProtocolMajor);
  EXPECT_EQ(heard.node, "provider");
  EXPECT_EQ(heard.cluster, "test");
  EXPECT_EQ(heard.incarnation, 42u);
  EXPECT_EQ(heard.role, wire::Role::node);
  EXPECT_EQ(heard.max_message, server_options().max_message);
  EXPECT_EQ(served.stats().connections, 1u);
}

TEST(CallServerHandshake, AsksForTheIncarnationAtEachHello) {
  auto options = server_options();
  auto incarnation = std::make_shared<std::atomic<std::uint64_t>>(1);
  options.incarnation = [incarnation] { return incarnation->fetch_add(1); };
  Served served(answer_at_once, options);
  Caller first = served.caller();
  first.send(hello_envelope());
  EXPECT_EQ(first.one().incarnation, 1u);
  Caller second = served.caller();
  second.send(hello_envelope("other"));
  EXPECT_EQ(second.one().incarnation, 2u);
}

TEST(CallServerHandshake, TellsRequestsWhoSentThem) {
  Served served;
  Caller caller = served.caller();
  caller.greet("somebody");
  caller.send(request_of(1));
  EXPECT_EQ(caller.one().attempt, 1u);
  const auto requester = served.requests.last();
  EXPECT_EQ(requester->name(), "somebody");
  EXPECT_EQ(requester->incarnation(), 7u);
  EXPECT_EQ(requester->role(), wire::Role::node);
  EXPECT_FALSE(requester->gone());
}

TEST(CallServerHandshake, RequestsBehindTheHelloInOneFrameAreServed) {
  Served served;
  Caller caller = served.caller();
  Bytes frame = bytes_of(hello_envelope());
  const Bytes request = request_of(9);
  frame.insert(frame.end(), request.begin(), request.end());
  caller.send(frame);
  std::vector<Heard> heard = caller.frame();
  if (heard.size() == 1) {
    for (const Heard& more : caller.frame()) heard.push_back(more);
  }
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].type, EnvelopeType::welcome);
  EXPECT_EQ(heard[1].attempt, 9u);
}

TEST(CallServerHandshake, AClientNeedsNoName) {
  Served served;
  Caller caller = served.caller();
  Envelope hello = hello_envelope("");
  hello.role = wire::Role::client;
  caller.send(hello);
  EXPECT_EQ(caller.one().type, EnvelopeType::welcome);
}

struct BadHello {
  std::string_view what;
  std::function<void(Envelope&)> spoil;
  std::string_view code;
  std::vector<std::string_view> words;
};

TEST(CallServerHandshake, RefusesInWordsThatNameBothSides) {
  const std::string long_name(100, 'n');
  const std::vector<BadHello> cases{
      {"another major", [](Envelope& e) { e.major = 9; }, "protocol", {"provider", "1.3", "9."}},
      {"another cluster", [](Envelope& e) { e.cluster = "blue"; }, "cluster", {"provider", "test", "caller", "blue"}},
      {"no cluster", [](Envelope& e) { e.cluster = ""; }, "cluster", {"'test'", "''"}},
      {"a name against the rule", [](Envelope& e) { e.node = "a b"; }, "name", {"provider", "a b", "[A-Za-z0-9]"}},
      {"a reserved name", [](Envelope& e) { e.node = "local"; }, "name", {"local"}},
      {"a node without a name", [](Envelope& e) { e.node = ""; }, "name", {"''"}},
      {"a long name", [&](Envelope& e) { e.node = long_name; }, "name", {"nnn..."}},
      {"no room for answers", [](Envelope& e) { e.max_message = 12; }, "protocol", {"caller", "12", "1024"}},
      {"no size at all", [](Envelope& e) { e.max_message = 0; }, "protocol", {"at most 0"}},
  };
  Served served;
  for (const BadHello& bad : cases) {
    SCOPED_TRACE(bad.what);
    Caller caller = served.caller();
    Envelope hello = hello_envelope();
    bad.spoil(hello);
    caller.send(hello);
    const Heard heard = caller.one();
    EXPECT_EQ(heard.type, EnvelopeType::refused);
    EXPECT_EQ(heard.attempt, 0u);
    EXPECT_EQ(heard.name, bad.code);
    for (const auto word : bad.words) EXPECT_THAT(heard.text, HasSubstr(std::string(word)));
    caller.send(request_of(1));
    EXPECT_EQ(caller.one().name, "hello_expected");
  }
  EXPECT_EQ(served.stats().refused, cases.size());
  EXPECT_EQ(served.stats().connections, 0u);
  EXPECT_TRUE(served.requests.attempts().empty());
}

TEST(CallServerHandshake, AfterARefusalABetterHelloIsWelcome) {
  Served served;
  Caller caller = served.caller();
  caller.send(hello_envelope("caller", "blue"));
  EXPECT_EQ(caller.one().name, "cluster");
  caller.greet();
}

TEST(CallServerHandshake, RequestsWithoutAHelloAreRefusedOnceAndNotActedOn) {
  Served served;
  Caller caller = served.caller();
  for (std::uint64_t i = 1; i <= 100; ++i) caller.send(request_of(i));
  const Heard heard = caller.one();
  EXPECT_EQ(heard.type, EnvelopeType::refused);
  EXPECT_EQ(heard.name, "hello_expected");
  EXPECT_THAT(heard.text, HasSubstr("provider"));
  // All of them were read before the hello is: on a slow machine that may have taken seconds, one refusal each.
  const auto began = std::chrono::steady_clock::now();
  caller.send(hello_envelope());
  std::size_t refusals = 1;
  while (caller.one().type == EnvelopeType::refused) ++refusals;
  const auto took = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
  EXPECT_LE(refusals, 2u + static_cast<std::size_t>(took.count()));
  EXPECT_TRUE(served.requests.attempts().empty());
}

TEST(CallServerHandshake, ASecondHelloIsRefusedAndReplacesNothing) {
  Served served;
  Caller caller = served.caller();
  caller.greet("first");
  caller.send(hello_envelope("second"));
  const Heard heard = caller.one();
  EXPECT_EQ(heard.name, "hello_repeated");
  EXPECT_THAT(heard.text, HasSubstr("first"));
  caller.send(request_of(1));
  EXPECT_EQ(caller.one().attempt, 1u);
  EXPECT_EQ(served.requests.last()->name(), "first");
  EXPECT_EQ(served.stats().connections, 1u);
}

TEST(CallServerHandshake, ARequestInAnotherMajorIsRefusedByItsAttempt) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  Envelope request;
  request.type = EnvelopeType::request;
  request.major = 2;
  request.attempt = 5;
  caller.send(request);
  const Heard heard = caller.one();
  EXPECT_EQ(heard.name, "protocol");
  EXPECT_EQ(heard.attempt, 5u);
  EXPECT_TRUE(served.requests.attempts().empty());
}

TEST(CallServerMalformed, BytesThatAreNoEnvelopeAreCountedToldOnceAndNotActedOn) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  caller.send(Bytes{0xFF, 0x00, 0x17});
  const Heard heard = caller.one();
  EXPECT_EQ(heard.type, EnvelopeType::refused);
  EXPECT_EQ(heard.name, "malformed");
  caller.send(Bytes{});
  caller.send(Bytes(2000, 0xA1));
  Envelope welcome;  // not what a caller may say
  welcome.type = EnvelopeType::welcome;
  welcome.major = busbar::wire::kCallProtocolMajor;
  caller.send(welcome);
  Bytes cut = request_of(4);
  cut.pop_back();
  caller.send(cut);
  caller.send_parts({request_of(5), request_of(6)});
  caller.send(request_of(7));
  EXPECT_EQ(caller.one().attempt, 7u);
  EXPECT_THAT(served.requests.attempts(), ElementsAre(7u));
  EXPECT_EQ(served.stats().malformed, 6u);
}

TEST(CallServerMalformed, TheLineNamesTheCallWhereItWasReadSoFar) {
  std::ostringstream text;
  host::Logs logs(host::LogSettings{}, std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  Served served(answer_at_once, server_options(), logs.get("x"));
  Caller caller = served.caller();
  caller.greet();
  Envelope welcome;  // not what a caller may say
  welcome.type = EnvelopeType::welcome;
  welcome.major = busbar::wire::kCallProtocolMajor;
  welcome.message_id = "the-message";
  welcome.correlation_id = "what-it-belongs-to";
  caller.send(welcome);
  EXPECT_EQ(caller.one().name, "malformed");
  served.stop();
  EXPECT_THAT(text.str(), HasSubstr("a frame could not be read"));
  EXPECT_THAT(text.str(), HasSubstr(" message_id=the-message correlation_id=what-it-belongs-to"));
}

TEST(CallServerMalformed, WhatStandsBeforeMalformedBytesIsServedAndNothingBehind) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  Bytes frame = request_of(1);
  frame.push_back(0xFF);
  const Bytes behind = request_of(2);
  frame.insert(frame.end(), behind.begin(), behind.end());
  caller.send(frame);
  std::vector<Heard> heard = caller.frame();
  for (const Heard& more : caller.frame()) heard.push_back(more);
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_THAT(served.requests.attempts(), ElementsAre(1u));
}

TEST(CallServerMalformed, StrangersWithMalformedBytesAreRefused) {
  Served served;
  Caller caller = served.caller();
  caller.send(Bytes{0xFF});
  EXPECT_EQ(caller.one().name, "malformed");
  EXPECT_EQ(served.stats().connections, 0u);
}

TEST(CallServerMalformed, EnvelopesOfALaterMinorVersionArePassedOver) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  Envelope later;
  later.type = static_cast<EnvelopeType>(200);
  later.major = wire::kCallProtocolMajor;
  Bytes frame = bytes_of(later);
  const Bytes behind = request_of(2);
  frame.insert(frame.end(), behind.begin(), behind.end());
  caller.send(frame);
  EXPECT_EQ(caller.one().attempt, 2u);
}

class CallServerGone : public ::testing::TestWithParam<bool> {
 protected:
  // Over TCP, or over a Unix socket.
  CallPlaneOptions options() {
    CallPlaneOptions options = server_options();
    if (GetParam()) options.listen = "ipc://@busbar-call-server-test-" + std::to_string(::getpid());
    return options;
  }
};

TEST_P(CallServerGone, ACallerThatClosesIsNoticed) {
  Served served(answer_at_once, options());
  Caller stays = served.caller();
  stays.greet("stays");
  Caller leaves = served.caller();
  leaves.greet("leaves");
  leaves.send(request_of(1));
  leaves.one();
  const auto requester = served.requests.last();
  leaves.close();
  ASSERT_TRUE(eventually([&] { return !served.requests.gone().empty(); }));
  EXPECT_THAT(served.requests.gone(), ElementsAre("leaves"));
  EXPECT_TRUE(requester->gone());
  EXPECT_EQ(requester->answer(answer_of(1), false), Sent::kDown);
  EXPECT_EQ(served.stats().unanswerable, 1u);
  EXPECT_EQ(served.stats().connections, 1u);
  stays.send(request_of(2));
  EXPECT_EQ(stays.one().attempt, 2u);
}

// C-R6: the answer of a chosen node that stops in order.
TEST_P(CallServerGone, WhatACallerSaidBeforeItLeftIsHeard) {
  Served served([](const auto&, const Envelope&) {}, options());
  for (std::size_t round = 1; round <= 100; ++round) {
    Caller caller = served.caller();
    caller.greet();
    caller.socket().set(zmq::sockopt::linger, -1);
    caller.send(answer_of(round));
    caller.close();
    ASSERT_TRUE(eventually([&] { return served.requests.gone().size() == round; }));
    ASSERT_EQ(served.requests.attempts().size(), round);
  }
}

TEST_P(CallServerGone, ConnectionsThatReuseADescriptorAreNotMistaken) {
  Served served(answer_at_once, options());
  for (std::size_t round = 1; round <= 40; ++round) {
    Caller caller = served.caller();
    caller.greet("n" + std::to_string(round));
    caller.send(request_of(round));
    ASSERT_EQ(caller.one().attempt, round);
    ASSERT_FALSE(served.requests.last()->gone());
    caller.close();
    if (round % 2 == 0) continue;
    ASSERT_TRUE(eventually([&] { return served.requests.gone().size() == round; }));
  }
  ASSERT_TRUE(eventually([&] { return served.requests.gone().size() == 40; }));
  EXPECT_EQ(served.stats().connections, 0u);
}

// Greets the server whose address it reads, says so, and waits to be killed.
[[noreturn]] void greet_and_wait(int address_from, int ready_to) {
  std::string address(256, '\0');
  const auto size = ::read(address_from, address.data(), address.size());
  address.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  zmq::context_t context{1};
  Caller caller(context, address);
  caller.send(hello_envelope("killed"));
  caller.one();
  [[maybe_unused]] const auto written = ::write(ready_to, "x", 1);
  for (;;) ::pause();
}

TEST_P(CallServerGone, AKilledProcessIsNoticed) {
  int address[2];
  int ready[2];
  ASSERT_EQ(::pipe(address), 0);
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();  // before there are threads
  ASSERT_GE(child, 0);
  if (child == 0) greet_and_wait(address[0], ready[1]);
  Served served(answer_at_once, options());
  const std::string text = served.server.address();
  ASSERT_EQ(::write(address[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  char x = 0;
  ASSERT_EQ(::read(ready[0], &x, 1), 1);
  EXPECT_TRUE(served.requests.gone().empty());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int descriptor : {address[0], address[1], ready[0], ready[1]}) ::close(descriptor);
  ASSERT_TRUE(eventually([&] { return !served.requests.gone().empty(); }));
  EXPECT_THAT(served.requests.gone(), ElementsAre("killed"));
}

INSTANTIATE_TEST_SUITE_P(Transports, CallServerGone, ::testing::Bool(),
                         [](const auto& over) { return over.param ? "ipc" : "tcp"; });

TEST(CallServer, AnAddressThatCannotBeBoundIsAnErrorThatNamesIt) {
  Served served;
  auto options = server_options();
  options.listen = served.server.address();
  zmq::context_t context{1};
  try {
    const CallServer second(context, options, host::Logger());
    FAIL() << "bound twice";
  } catch (const host::CallPlaneError& error) {
    EXPECT_THAT(error.what(), HasSubstr(options.listen));
  }
}

// ---------------------------------------------------------------------------------------------------------- the end

Envelope closing() {
  Envelope envelope;
  envelope.type = EnvelopeType::closing;
  envelope.major = wire::kCallProtocolMajor;
  return envelope;
}

const std::vector<host::NodeStart> kCaller{{"caller", 7}};

// C-D18
TEST(CallServerEnd, ANodeThatHasClosedHasBeenHeardWholeAndAsksNothingMore) {
  Served served;
  Caller caller = served.caller();
  caller.greet();
  EXPECT_FALSE(served.server.nodes().wait_until_none_asks(kCaller, 0));
  for (std::uint64_t attempt = 1; attempt <= 100; ++attempt) caller.send(request_of(attempt));
  caller.send(closing());
  EXPECT_TRUE(served.server.nodes().wait_until_none_asks(kCaller, host::now_ns() + 60 * host::kSecond));
  EXPECT_EQ(served.requests.attempts().size(), 100u);
  EXPECT_TRUE(served.server.nodes().has("caller", 7)) << "it may still answer";
}

TEST(CallServerEnd, ANodeAsksNothingMoreWhenItsLastConnectionHasClosedOrEnded) {
  Served served;
  Caller first = served.caller(), second = served.caller();
  first.greet();
  second.greet();
  first.send(closing());
  first.send(closing());  // counts once
  first.send(request_of(1));
  EXPECT_EQ(first.one().attempt, 1u) << "it is served all the same";
  EXPECT_FALSE(served.server.nodes().wait_until_none_asks(kCaller, 0));
  second.close();
  EXPECT_TRUE(served.server.nodes().wait_until_none_asks(kCaller, host::now_ns() + 60 * host::kSecond));
  first.close();
  EXPECT_TRUE(eventually([&] { return !served.server.nodes().has("caller", 7); }));
}

}  // namespace
}  // namespace busbar::testing
