// A link to a node that refuses, dies, falls silent, comes back, or talks nonsense; and the end of this node.
#include <busbar/registry/net/address.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <thread>

#include "link_testing.hpp"

namespace busbar::host {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::eventually;
using ::testing::HasSubstr;

class LinkFailureTest : public ::testing::Test {
 protected:
  void SetUp() override { here_.start(); }
  ThisNode here_;
};

ScriptedNode::Script never_answers(std::vector<ScriptedNode::Frame> to_hello = {ScriptedNode::welcome()}) {
  return [to_hello](const wire::Envelope& envelope) {
    return envelope.type == wire::EnvelopeType::hello ? to_hello : std::vector<ScriptedNode::Frame>();
  };
}

// C-D9
TEST_F(LinkFailureTest, ALostConnectionEndsEveryCallUnderWayAtOnce) {
  ScriptedNode other("tcp://127.0.0.1:*", never_answers());
  const auto peer = here_.add_and_wait(other.address());
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      TestCall call;
      Seat seat(call.waiter);
      if (here_.begin(*peer, call, seat, "x") == Sent::kYes && here_.finish(*peer, call, seat) && !call.down.empty()) {
        ++told;
      }
    });
  }
  std::deque<TestCall> posted(8);
  for (TestCall& call : posted) ASSERT_EQ(here_.post(*peer, call, "x"), Sent::kYes);
  ASSERT_TRUE(eventually([&] { return other.requests == 16; }));
  other.close();
  for (std::thread& thread : threads) thread.join();
  for (TestCall& call : posted) {
    EXPECT_TRUE(eventually([&] { return call.waiter.done(); }));
    EXPECT_NE(call.down, "");
    peer->ended();
  }
  EXPECT_EQ(told, 8);
  EXPECT_EQ(here_.dispatch.downs, 1);
  EXPECT_EQ(here_.dispatch.wrong, 0) << "it was routable when it was said to be down";
  EXPECT_FALSE(peer->routable());
  EXPECT_TRUE(eventually([&] { return here_.routability_changes == 2; }));
  TestCall late;
  Seat seat(late.waiter);
  EXPECT_EQ(here_.begin(*peer, late, seat, "x"), Sent::kDown);
  EXPECT_EQ(here_.post(*peer, late, "x"), Sent::kDown);
}

// A node that never answers, in a process of its own. Forked while this process has no threads.
class ChildNode {
 public:
  ChildNode() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      const ScriptedNode other("tcp://127.0.0.1:*", never_answers());
      const auto written = ::write(ends[1], other.address().c_str(), other.address().size() + 1);
      while (written > 0) ::pause();
      ::_exit(1);
    }
    char address[64] = "";
    if (::read(ends[0], address, sizeof address) > 0) address_ = address;
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~ChildNode() {
    signal(SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  ChildNode(const ChildNode&) = delete;
  ChildNode& operator=(const ChildNode&) = delete;

  const std::string& address() const { return address_; }
  void signal(int number) { ::kill(child_, number); }

 private:
  pid_t child_ = -1;
  std::string address_;
};

// C-D9
TEST(LinkToAnotherProcessTest, AKilledProcessEndsItsCallsAtOnce) {
  ChildNode other;
  ThisNode here;
  here.start();
  const auto peer = here.add_and_wait(other.address());
  TestCall call;
  Seat seat(call.waiter);
  ASSERT_EQ(here.begin(*peer, call, seat, "x"), Sent::kYes);
  other.signal(SIGKILL);
  EXPECT_TRUE(here.finish(*peer, call, seat));
  EXPECT_NE(call.down, "");
}

TEST_F(LinkFailureTest, ANodeThatReadsNothingFillsTheQueueAndNoMore) {
  CallPlaneOptions options;
  options.peer_queue = 4 * 1024 * 1024;
  ThisNode here(options);
  here.start();
  ScriptedNode other;
  const auto peer = here.add_and_wait(other.address());
  other.stop_reading();
  std::deque<TestCall> calls;
  const auto fill = [&](std::size_t size) {
    std::size_t bytes = 0;
    for (;;) {
      calls.emplace_back();
      const Sent sent = here.post(*peer, calls.back(), std::string(size, 'x'));
      if (sent == Sent::kYes) {
        bytes += size;
        continue;
      }
      EXPECT_EQ(sent, Sent::kFull);
      calls.pop_back();
      return bytes;
    }
  };
  // What fits, in all: the queue, ZeroMQ's high water marks, and the kernel's buffers.
  EXPECT_LT(fill(10'000), std::size_t{100} << 20);
  EXPECT_LT(fill(500'000), std::size_t{20} << 20) << "large ones count while ZeroMQ has them";
  TestCall blocking;
  Seat seat(blocking.waiter);
  EXPECT_EQ(here.begin(*peer, blocking, seat, std::string(500'000, 'x')), Sent::kFull);
  other.read_again();
  for (TestCall& call : calls) {
    ASSERT_TRUE(eventually([&] { return call.waiter.done(); }));
    peer->ended();
  }
  EXPECT_TRUE(here.call(*peer, "there is room again"));
}

TEST_F(LinkFailureTest, ALoneCallerWhoseRequestDoesNotFitStillKeepsItsDeadline) {
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());
  other.stop_reading();
  const std::string payload(60'000, 'x');
  for (int i = 0; i < 1'000; ++i) EXPECT_FALSE(here_.call(*peer, payload, now_ns()));
  other.read_again();
  EXPECT_TRUE(here_.call(*peer, "after them"));
}

TEST_F(LinkFailureTest, ItDialsAgainWhenTheNodeComesBack) {
  auto other = std::make_unique<ScriptedNode>();
  const std::string address = other->address();
  const auto peer = here_.add_and_wait(address);
  EXPECT_TRUE(here_.call(*peer, "before"));
  for (int i = 1; i <= 3; ++i) {
    other->close();
    ASSERT_TRUE(eventually([&] { return here_.dispatch.downs == i; }));
    other = std::make_unique<ScriptedNode>(address);
    ASSERT_TRUE(eventually([&] { return peer->routable(); }));
    EXPECT_TRUE(here_.call(*peer, "after"));
  }
}

TEST_F(LinkFailureTest, ItWaitsForANodeThatIsNotThereYet) {
  std::string address;
  {
    ScriptedNode gone;
    address = gone.address();
  }
  const auto peer = here_.add(address);
  TestCall call;
  EXPECT_EQ(here_.post(*peer, call, "x"), Sent::kDown);
  ScriptedNode other(address);
  ASSERT_TRUE(eventually([&] { return peer->routable(); }));
  EXPECT_TRUE(here_.call(*peer, "x"));
  EXPECT_EQ(here_.dispatch.downs, 0) << "it never was up before";
}

// Answers nothing until so many requests have come, and then all of them.
ScriptedNode::Script answers_at_the_end(int count) {
  using Frames = std::vector<ScriptedNode::Frame>;
  return [count, answers = Frames()](const wire::Envelope& envelope) mutable {
    if (envelope.type == wire::EnvelopeType::hello) return Frames(1, ScriptedNode::welcome());
    answers.push_back(ScriptedNode::answer(envelope));
    return static_cast<int>(answers.size()) == count ? std::exchange(answers, {}) : Frames();
  };
}

// Tells when the thread that works this node's connections has seen the end of one to the same place.
class SeenEnd {
 public:
  SeenEnd(zmq::context_t& context, const std::string& address)
      : socket_(registry::net::make_dealer(context, {})), monitor_(context, socket_) {
    socket_.connect(address);
    if (!told(registry::net::Monitor::Event::handshake_succeeded)) throw std::runtime_error("no connection");
  }
  bool wait() { return told(registry::net::Monitor::Event::disconnected); }

 private:
  bool told(registry::net::Monitor::Event event) {
    return eventually([&] {
      const auto happened = monitor_.next();
      return happened && happened->event == event;
    });
  }
  zmq::socket_t socket_;
  registry::net::Monitor monitor_;
};

// C-D9: what was answered before the end is no loss, however late it is read.
TEST_F(LinkFailureTest, AnswersThatCameBeforeTheConnectionEndedAreHandedOutAndOnlyThenCallsEnd) {
  constexpr int kCalls = 200;
  ScriptedNode other("tcp://127.0.0.1:*", answers_at_the_end(kCalls));
  const auto peer = here_.add_and_wait(other.address());
  SeenEnd end(here_.context, other.address());
  std::atomic<bool> held{true};
  here_.dispatch.on_end = [&](TestCall& call) {  // the first of them holds up the thread that reads the others
    eventually([&] { return !held; });
    call.waiter.complete();
  };
  std::deque<TestCall> calls(kCalls);
  for (TestCall& call : calls) ASSERT_EQ(here_.post(*peer, call, "x"), Sent::kYes);
  ASSERT_TRUE(eventually([&] { return here_.dispatch.envelopes == 1; }));
  TestCall unanswered;
  ASSERT_EQ(here_.post(*peer, unanswered, "x"), Sent::kYes);
  other.leave();
  ASSERT_TRUE(end.wait());
  held = false;
  for (TestCall& call : calls) {
    ASSERT_TRUE(eventually([&] { return call.waiter.done(); }));
    EXPECT_EQ(call.answer, "x") << call.down;
    peer->ended();
  }
  ASSERT_TRUE(eventually([&] { return unanswered.waiter.done(); }));
  EXPECT_NE(unanswered.down, "");
  peer->ended();
}

// The same where callers read.
TEST_F(LinkFailureTest, ACallerThatDrivesLeavesWhatCameBeforeTheEndToBeReadForTheOthers) {
  constexpr int kCalls = 16;
  ScriptedNode other("tcp://127.0.0.1:*", answers_at_the_end(kCalls));
  const auto peer = here_.add_and_wait(other.address());
  SeenEnd end(here_.context, other.address());
  std::atomic<bool> held{true};
  here_.dispatch.on_end = [&](TestCall& call) {
    eventually([&] { return !held; });
    call.waiter.complete();
  };
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kCalls; ++i) {
    threads.emplace_back([&] {
      TestCall call;
      Seat seat(call.waiter);
      if (here_.begin(*peer, call, seat, "x") == Sent::kYes && here_.finish(*peer, call, seat)) {
        answered += call.answer == "x" ? 1 : 0;
      }
    });
  }
  ASSERT_TRUE(eventually([&] { return here_.dispatch.envelopes == 1; }));
  other.leave();
  EXPECT_TRUE(end.wait());
  held = false;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kCalls);
}

struct BadWelcome {
  const char* what;
  ScriptedNode::Frame frame;
  const char* words;  // for an operator
};

class BadWelcomeTest : public LinkFailureTest, public ::testing::WithParamInterface<BadWelcome> {};

TEST_P(BadWelcomeTest, LeavesTheLinkDownIsToldOnceInWordsAndIsTriedAgain) {
  ScriptedNode other("tcp://127.0.0.1:*", never_answers({GetParam().frame}));
  const auto peer = here_.add(other.address());
  EXPECT_TRUE(eventually([&] { return other.hellos >= 3; }));
  EXPECT_FALSE(peer->routable());
  EXPECT_EQ(here_.routability_changes, 0);
  std::vector<std::string> told = here_.log.with("cannot reach peer");
  for (std::string& line : told) line.erase(0, line.find("peer=other"));  // the time is another each time
  EXPECT_THAT(told, Contains(AllOf(HasSubstr("address=" + other.address()), HasSubstr(GetParam().words))));
  EXPECT_EQ(std::adjacent_find(told.begin(), told.end()), told.end()) << "the same is not told twice in succession";
}

INSTANTIATE_TEST_SUITE_P(
    All, BadWelcomeTest,
    ::testing::Values(
        BadWelcome{"Refused", ScriptedNode::refused("another node of this name is up"),
                   "it refuses this node: another node of this name is up"},
        BadWelcome{"WrongIncarnation", ScriptedNode::welcome("other", 8), "it is incarnation '8', expected '7'"},
        BadWelcome{"WrongNode", ScriptedNode::welcome("someone", 7), "it is node 'someone', expected 'other'"},
        BadWelcome{"WrongCluster", ScriptedNode::welcome("other", 7, "production"),
                   "it belongs to cluster 'production', expected 'test'"},
        BadWelcome{"WrongMajor", ScriptedNode::welcome("other", 7, "test", 2),
                   "it speaks call protocol '2', expected '1': hosts of these versions cannot call each other"},
        BadWelcome{"NoRoom", ScriptedNode::welcome("other", 7, "test", wire::kCallProtocolMajor, 100),
                   "it takes frames of at most 100 bytes: at least 1024 are needed"},
        BadWelcome{"SomethingElse", ScriptedNode::answer({}), "it sent something else before its welcome"},
        BadWelcome{"Nonsense", ScriptedNode::Frame(3, 0xff), "could not read the envelope: it is no map"},
        BadWelcome{"Empty", ScriptedNode::Frame(), "could not read the envelope: it ends where an item was expected"}),
    [](const auto& test) { return test.param.what; });

TEST_F(LinkFailureTest, MalformedBytesEndTheConnectionAndItsCallsAndAreCounted) {
  std::atomic<bool> nonsense{true};
  ScriptedNode other("tcp://127.0.0.1:*", [&](const wire::Envelope& envelope) {
    if (envelope.type == wire::EnvelopeType::request && nonsense) {
      return std::vector<ScriptedNode::Frame>{{0xff, 0x00, 0x13}};
    }
    return ScriptedNode::as_usual(envelope);
  });
  const auto peer = here_.add_and_wait(other.address());
  TestCall call;
  Seat seat(call.waiter);
  ASSERT_EQ(here_.begin(*peer, call, seat, "x"), Sent::kYes);
  EXPECT_TRUE(here_.finish(*peer, call, seat));
  EXPECT_NE(call.down, "");
  CallPlaneStats stats;
  here_.peers.fill(stats);
  EXPECT_EQ(stats.malformed, 1U);
  nonsense = false;
  ASSERT_TRUE(eventually([&] { return peer->routable(); }));
  EXPECT_TRUE(here_.call(*peer, "x"));
}

TEST_F(LinkFailureTest, ANodeThatRefusesAConnectionThatStoodTakesItDownInItsWords) {
  ScriptedNode other("tcp://127.0.0.1:*", [](const wire::Envelope& envelope) {
    if (envelope.type == wire::EnvelopeType::request)
      return std::vector<ScriptedNode::Frame>(1, ScriptedNode::refused("i am leaving"));
    return ScriptedNode::as_usual(envelope);
  });
  const auto peer = here_.add_and_wait(other.address());
  TestCall call;
  ASSERT_EQ(here_.post(*peer, call, "x"), Sent::kYes);
  EXPECT_TRUE(eventually([&] { return call.waiter.done(); }));
  EXPECT_NE(call.down.find("i am leaving"), std::string::npos) << call.down;
  peer->ended();
}

TEST_F(LinkFailureTest, ADroppedPeerIsDownAtOnceAndItsCallsEnd) {
  ScriptedNode other("tcp://127.0.0.1:*", never_answers());
  const auto peer = here_.add_and_wait(other.address());
  TestCall posted;
  ASSERT_EQ(here_.post(*peer, posted, "x"), Sent::kYes);
  TestCall call;
  Seat seat(call.waiter);
  ASSERT_EQ(here_.begin(*peer, call, seat, "x"), Sent::kYes);
  here_.peers.drop(peer, "it has left");
  EXPECT_FALSE(peer->routable());
  EXPECT_TRUE(here_.finish(*peer, call, seat));
  EXPECT_EQ(call.down, "it has left");
  EXPECT_TRUE(eventually([&] { return posted.waiter.done(); }));
  peer->ended();
  here_.peers.drop(peer, "again");
  here_.peers.stop();
  EXPECT_EQ(other.hellos, 1) << "it is not dialled again";
}

TEST_F(LinkFailureTest, APeerMayOutliveThePlane) {
  ScriptedNode other;
  std::shared_ptr<Peer> peer;
  {
    ThisNode here;
    here.start();
    peer = here.add_and_wait(other.address());
    EXPECT_TRUE(here.call(*peer, "x"));
  }
  EXPECT_FALSE(peer->routable());
  Waiter waiter;
  Seat seat(waiter);
  EXPECT_EQ(peer->send(request(1, "x"), seat), Sent::kDown);
  EXPECT_EQ(peer->post(request(1, "x"), true), Sent::kDown);
  peer->ring();
}

TEST_F(LinkFailureTest, StopEndsWhatIsUnderWay) {
  ScriptedNode other("tcp://127.0.0.1:*", never_answers());
  const auto peer = here_.add_and_wait(other.address());
  std::atomic<int> ended{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        TestCall call;
        Seat seat(call.waiter);
        if (here_.begin(*peer, call, seat, "x") != Sent::kYes) break;
        if (here_.finish(*peer, call, seat)) ++ended;
      }
    });
  }
  ASSERT_TRUE(eventually([&] { return other.requests == 6; }));
  here_.peers.stop();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, 6);
  here_.peers.stop();
}

// Names: looked up by nobody who has something else to do.

TEST(LinkNamesTest, ANameIsDialledAtWhicheverOfItsAddressesSomebodyAnswers) {
  CallPlaneOptions options;
  options.lookup = [](const std::string& name) {
    return name == "other.test" ? registry::net::Hosts{{"127.0.0.2", "127.0.0.1"}, ""} : registry::net::Hosts{{}, "?"};
  };
  ThisNode here(options);
  here.start();
  ScriptedNode other;
  const auto peer = here.add_and_wait(registry::net::with_host(other.address(), "other.test"));
  EXPECT_TRUE(peer->routable());
}

TEST(LinkNamesTest, ALookUpThatHangsKeepsUpNeitherOtherLinksNorTheEnd) {
  const auto released = std::make_shared<std::latch>(1);
  CallPlaneOptions options;
  options.lookup = [released](const std::string&) {
    released->wait();
    return registry::net::Hosts{};
  };
  {
    ThisNode here(options);
    here.start();
    ScriptedNode other;
    const auto hanging = here.add("tcp://hangs.test:1", 8);
    const auto peer = here.add_and_wait(other.address());
    TestCall call;
    Seat seat(call.waiter);
    EXPECT_EQ(here.begin(*peer, call, seat, "x"), Sent::kYes);
    EXPECT_TRUE(here.finish(*peer, call, seat));
    EXPECT_EQ(call.answer, "x");
    EXPECT_FALSE(hanging->routable());
  }
  released->count_down();
}

TEST(LinkNamesTest, ANameThatCannotBeLookedUpIsToldOfAndTriedAgain) {
  std::atomic<int> asked{0};
  CallPlaneOptions options;
  options.lookup = [&asked](const std::string&) {
    return ++asked < 3 ? registry::net::Hosts{{}, "no such name"} : registry::net::Hosts{{"127.0.0.1"}, ""};
  };
  ThisNode here(options);
  here.start();
  ScriptedNode other;
  const auto peer = here.add_and_wait(registry::net::with_host(other.address(), "other.test"));
  EXPECT_TRUE(peer->routable());
  EXPECT_EQ(asked, 3);
}

// -------------------------------------------------------------------------------------------------- leaving in order

const NodeStart kOther{"other", 7};

// C-D18
TEST_F(LinkFailureTest, APeerThatLeavesIsToldSoWhenNothingIsWaitedForAndIsAskedNothingMeanwhile) {
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());
  peer->pending_begins();
  here_.peers.let_go(kOther);
  TestCall call;
  Seat seat(call.waiter);
  EXPECT_EQ(here_.begin(*peer, call, seat, "x"), Sent::kDown) << "it certainly did not leave";
  EXPECT_EQ(here_.post(*peer, call, "x"), Sent::kDown);
  EXPECT_EQ(peer->post(request(9, "an answer, as far as the link knows"), false), Sent::kYes);
  EXPECT_TRUE(eventually([&] { return other.requests == 1; }));
  EXPECT_EQ(other.closings, 0);
  peer->pending_ends();
  EXPECT_TRUE(eventually([&] { return other.closings == 1; }));
  EXPECT_TRUE(peer->routable()) << "it may still answer";
  other.leave();
  EXPECT_TRUE(eventually([&] { return peer->over(); }));
  EXPECT_THAT(here_.log.with("peer has left"), ::testing::SizeIs(1));
  EXPECT_THAT(here_.log.with("peer is down"), ::testing::IsEmpty());
}

TEST_F(LinkFailureTest, APeerThatLeavesIsNotDialledAgainAlsoIfItIsKilled) {
  std::string address;
  std::shared_ptr<Peer> peer;
  {
    ScriptedNode other;
    address = other.address();
    peer = here_.add_and_wait(address);
    peer->pending_begins();
    here_.peers.let_go(kOther);
    other.close();
    EXPECT_TRUE(eventually([&] { return here_.dispatch.downs == 1; })) << "its calls end at once (C-D9)";
    peer->pending_ends();
  }
  ScriptedNode successor(address);
  const auto later = here_.add(address, 8);  // which is dialled for longer than it takes until one is dialled again
  EXPECT_TRUE(eventually([&] { return successor.hellos == 4; }));
  EXPECT_FALSE(peer->routable());
}

TEST_F(LinkFailureTest, WhoClosesTellsAllThatUnderstandItBehindEverythingElse) {
  ScriptedNode other("tcp://127.0.0.1:*", never_answers());
  ScriptedNode older(
      "tcp://127.0.0.1:*",
      never_answers({ScriptedNode::welcome("older", 7, "test", 1, 1 << 20, wire::kMinorWithClosing - 1)}));
  const auto peer = here_.add_and_wait(other.address());
  const auto old_peer = here_.peers.add("older", 7, older.address());
  ASSERT_TRUE(eventually([&] { return old_peer->routable(); }));
  for (int i = 1; i <= 100; ++i) ASSERT_EQ(peer->post(request(i, "x"), false), Sent::kYes);
  EXPECT_THAT(here_.peers.say_closing(), ::testing::ElementsAre(kOther));
  EXPECT_TRUE(eventually([&] { return other.closings == 1; }));
  EXPECT_EQ(other.requests, 100);
  TestCall call;
  EXPECT_EQ(here_.post(*peer, call, "x"), Sent::kDown);
  EXPECT_EQ(here_.post(*old_peer, call, "x"), Sent::kYes);
  old_peer->ended();
  EXPECT_TRUE(eventually([&] { return older.requests == 1; }));
  EXPECT_EQ(older.closings, 0);
  here_.peers.stop();  // the call is told of its end before it is gone
}

// Another link has taken its place.
TEST_F(LinkFailureTest, ARetiredLinkIsClosedWhenNothingIsWaitedForThere) {
  ScriptedNode other;
  const auto peer = here_.add_and_wait(other.address());
  peer->pending_begins();
  CallPeers::retire(peer);
  TestCall call;
  Seat seat(call.waiter);
  EXPECT_EQ(here_.begin(*peer, call, seat, "x"), Sent::kYes) << "by who has found it before";
  EXPECT_TRUE(here_.finish(*peer, call, seat));
  EXPECT_EQ(call.answer, "x");
  const Nanos until = now_ns() + 1500 * kMillisecond;  // longer than it is kept in any case
  ASSERT_TRUE(eventually([&] { return now_ns() >= until; }));
  EXPECT_TRUE(peer->routable()) << "something is waited for";
  peer->pending_ends();
  EXPECT_TRUE(eventually([&] { return peer->over(); }));
  EXPECT_TRUE(eventually([&] { return here_.log.with("a connection to a peer was renewed").size() == 1; }));
  EXPECT_THAT(here_.log.with("peer is down"), ::testing::IsEmpty());
  EXPECT_EQ(other.hellos, 1) << "it is not dialled again";
}

}  // namespace
}  // namespace busbar::host
