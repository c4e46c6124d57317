// Everything at once between three nodes: each call ends exactly once, with its own answer, and nothing stays behind.
#include <map>
#include <random>
#include <thread>

#include "remote.hpp"
#include "support/event_log.hpp"

namespace busbar::testing {
namespace {

#if defined(BUSBAR_SANITIZE_ADDRESS) || defined(BUSBAR_SANITIZE_THREAD)
constexpr int kCallsEach = 300;
#else
constexpr int kCallsEach = 1000;
#endif
constexpr int kThreads = 8;
/// Such calls leave a trail.
constexpr std::string_view kSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// An answer can be what a service would answer to this very call, or what the network made of it.
bool fits(const Response& r, int value) {
  if (r.kind() == Response::Kind::ok) return r.value_as<int>() == value;
  return r.kind() == Response::Kind::service_timeout || r.kind() == Response::Kind::service_unavailable ||
         r.is_bad_rpc(badrpc::kNodedown) || r.is_bad_rpc(badrpc::kExit) || r.is_error(code::kNoNodesAvailable) ||
         r.is_error(code::kOverloaded);
}

/// Cuts and restores connections, and lets envelopes come twice or not at all, until it goes.
class Trouble {
 public:
  explicit Trouble(LinkedHubs& net) : net_(net), thread_([this] { run(); }) {}
  ~Trouble() {
    over_ = true;
    thread_.join();
  }

 private:
  static Lane::Decide mischief(unsigned seed) {
    return [random = std::minstd_rand(seed + 1)](const wire::Envelope& e) mutable {
      const auto dice = random() % 200;
      // A request never comes twice: the transport does not repeat, and who asked would run twice.
      if (dice < 6 && e.type == wire::EnvelopeType::answer) return Fate::twice;
      return dice == 7 ? Fate::drop : Fate::pass;
    };
  }
  void run() {
    static constexpr const char* kNodes[] = {"a", "b", "c"};
    std::minstd_rand random(7);
    for (unsigned turn = 0; !over_; ++turn) {
      const unsigned from = random() % 3, to = (from + 1 + random() % 2) % 3;
      Link& link = net_.link(kNodes[from], kNodes[to]);
      link.requests.decide(mischief(turn));
      link.answers.decide(mischief(turn + 1));
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 8));
      link.cut();
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 4));
      link.restore();
    }
  }

  LinkedHubs& net_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

TEST(RemoteHammer, C_D6_EveryCallEndsExactlyOnceWithinItsBudgetAndNothingStays) {
  LinkedHubs net({"a", "b", "c"}, {2, 32, 2000, host::kMillisecond, 50 * host::kMillisecond, {}});
  for (const char* node : {"a", "b", "c"}) {
    const std::string self = node;
    const auto echo = [](Message& m, Context&) {
      m.assign("seen", m.raw_request_as<int>());
      return Response::ok_payload(m.raw_request());
    };
    Script script;
    script.on("pooled_" + self, echo).on("everywhere", echo, BUSBAR_SERVICE_IDEMPOTENT);
    script.on("inlined_" + self, echo, BUSBAR_SERVICE_INLINE);
    script.on("picky", [](Message& m, Context&) {
      if (m.raw_request_as<int>() % 3 != 0) return Response::try_another_node("busy");
      return Response::ok_payload(m.raw_request());
    });
    script.on("throws_" + self, [](Message&, Context&) -> Response { throw std::runtime_error("thrown"); });
    script.on("slow_" + self, [](Message& m, Context& c) {
      while (!c.caller_gone()) std::this_thread::sleep_for(std::chrono::microseconds(200));
      return Response::ok_payload(m.raw_request());
    });
    script.on("nested_" + self, [self](Message& m, Context& c) {
      return c.call(self == "a" ? "pooled_b" : "pooled_a", m.raw_request_as<int>()).response();
    });
    const auto later = [](Message& m, Context& c) {
      std::thread([handle = c.reply_handle(), value = m.raw_request_as<int>()]() mutable {
        if (value % 4 == 0) return;  // dropped
        handle.reply(Response::ok(value));
        handle.reply(Response::ok(-1));
      }).detach();  // the handle keeps its call inside: `quiet` waits for it
    };
    script.defer("later_" + self, later).defer("later_inlined_" + self, later, BUSBAR_SERVICE_INLINE);
    net.add(node, script);
    net.add(node, Script().on("placed_" + self, echo).choose_with([](const Message& m) {
      static constexpr const char* kPlaces[] = {"", "a", "b", "c"};
      return std::string(kPlaces[m.raw_request_as<int>() % 4]);
    }),
            "placing");
  }
  static constexpr const char* kServices[] = {"pooled_", "inlined_", "later_",  "later_inlined_", "nested_",
                                              "slow_",   "throws_",  "placed_", "picky",          "everywhere"};
  static constexpr const char* kNodes[] = {"a", "b", "c"};
  std::atomic<int> begun{0}, ended{0}, cancelled{0}, answered_ok{0};
  const auto judge = [&](const Message& back, const std::string& service, int value, const std::string& id,
                         std::chrono::steady_clock::time_point latest) {
    if (back.response().kind() == Response::Kind::ok) ++answered_ok;
    const bool dropped = service.starts_with("later_") && value % 4 == 0;
    const bool right = (dropped && back.response().is_bad_rpc(badrpc::kBadReturn)) || fits(back.response(), value);
    EXPECT_TRUE(right && back.id() == id && back.raw_request().empty() && back.halted())
        << service << " " << value << ": " << shown(back.response());
    EXPECT_LT(std::chrono::steady_clock::now(), latest) << service;
  };
  {
    const Trouble trouble(net);
    std::vector<std::thread> callers;
    for (unsigned t = 0; t < kThreads; ++t) {
      callers.emplace_back([&, t] {
        std::minstd_rand random(t + 100);
        for (int i = 0; i < kCallsEach; ++i) {
          Hub& hub = net[kNodes[random() % 3]];
          std::string service = kServices[random() % std::size(kServices)];
          if (service.ends_with('_')) service += kNodes[random() % 3];
          const int value = static_cast<int>(random() % 100'000);
          const auto timeout_ms = static_cast<std::uint32_t>(random() % 10 == 0 ? 1 : 5 + random() % 40);
          // Enough for any machine; what waits for ever is found all the same.
          const auto latest =
              std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms) + std::chrono::seconds(20);
          Message message = Message::of(service, value);
          if (random() % 4 == 0) message.with_traceparent(kSampled);
          const std::string id(message.id());
          ++begun;
          const auto done = [&, service, value, id, latest](Message&& back) {
            judge(back, service, value, id, latest);
            ++ended;
          };
          switch (random() % 4) {
            case 0:
            case 1:
              hub.dispatcher().dispatch(message, {timeout_ms});
              done(std::move(message));
              break;
            case 2:
              hub.dispatcher().dispatch_async(std::move(message), done, {timeout_ms});
              break;
            default: {
              auto pending = hub.dispatcher().dispatch_cancellable(std::move(message), done, {timeout_ms});
              if (random() % 2 == 0) std::this_thread::yield();
              if (random() % 2 == 0 && pending.cancel()) ++cancelled;
            }
          }
        }
      });
    }
    for (auto& caller : callers) caller.join();
    EXPECT_TRUE(eventually([&] { return ended + cancelled == begun; })) << ended << " " << cancelled << " " << begun;
  }
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(ended + cancelled, begun);
  EXPECT_EQ(begun, kThreads * kCallsEach);
  EXPECT_GT(answered_ok, begun / 20);
  EXPECT_GT(cancelled, 0);
  // What is left works.
  for (const char* from : kNodes) {
    for (const char* to : kNodes) {
      if (std::string_view(from) != to) net.link(from, to).requests.decide({}), net.link(from, to).answers.decide({});
    }
  }
  for (const char* from : kNodes) {
    for (const char* to : kNodes) {
      const Message back = net[from].call(Message::of("pooled_" + std::string(to), 7), {600'000});
      EXPECT_TRUE(back.response().succeeded()) << from << " " << to << ": " << shown(back.response());
    }
  }
  EXPECT_TRUE(net.quiet());
}

// Both providers refuse, so that a call goes from one to the other, while its deadline comes at any moment of that.
TEST(RemoteHammer, EachAttemptOfACallWhoseDeadlineComesHasOneEndInTheEvents) {
  LinkedHubs net({"a", "b", "c"});
  for (const char* node : {"b", "c"}) {
    net.add(node, Script().on("unwilling", [](Message& m, Context&) {
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(m.raw_request_as<int>());
      while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
      return Response::try_another_node("busy");
    }));
  }
  const auto log = std::make_shared<EventLog>();
  net["a"].events().subscribe(
      log, host::mask_of(host::EventKind::invoking_service) | host::mask_of(host::EventKind::service_responded));
  constexpr int kCalls = 4 * kCallsEach;
  std::atomic<int> ended{0};
  std::minstd_rand random(11);
  for (int i = 0; i < kCalls; ++i) {
    Message message = Message::of("unwilling", static_cast<int>(random() % 700));
    net["a"].dispatcher().dispatch_async(std::move(message), [&](Message&&) { ++ended; },
                                         {1 + static_cast<std::uint32_t>(random() % 8)});
    // Not all at once: what waits too long behind others is never refused.
    while (i - ended > 16) std::this_thread::yield();
  }
  ASSERT_TRUE(eventually([&] { return ended == kCalls; }));
  ASSERT_TRUE(net.quiet());
  // Who finds that the time is over may tell it after the callback has run.
  EXPECT_TRUE(eventually(
      [&] { return log->count(host::EventKind::service_responded) >= log->count(host::EventKind::invoking_service); }));
  struct Told {
    int attempts = 0, ends = 0, timeouts = 0;
  };
  std::map<std::string, Told> calls;
  for (const auto& entry : log->entries()) {
    Told& told = calls[entry.message_id];
    ++(entry.kind == host::EventKind::invoking_service ? told.attempts : told.ends);
    if (entry.response == Response::Kind::service_timeout) ++told.timeouts;
  }
  int timed_out_later = 0;
  for (const auto& [id, told] : calls) {
    EXPECT_EQ(told.attempts, told.ends) << id;
    EXPECT_LE(told.timeouts, 1) << id;
    if (told.attempts > 1 && told.timeouts == 1) ++timed_out_later;
  }
  EXPECT_GT(timed_out_later, 0) << "no deadline came on the way from one to the other";
  EXPECT_EQ(ended, kCalls) << "a call ended twice";
}

// The trail that it leaves is written by who answers, while who serves copies the message for those who are to answer.
TEST(RemoteHammer, AnInlineCallIsAnsweredByAnotherThreadAsItsHandlerReturns) {
  LinkedHubs net({"a", "b"});
  std::atomic<ReplyHandle*> to_answer{nullptr};
  std::atomic<bool> over{false};
  net.add("b", Script().defer(
                   "later", [&](Message&, Context& context) { to_answer = new ReplyHandle(context.reply_handle()); },
                   BUSBAR_SERVICE_INLINE));
  std::thread answerer([&] {
    while (!over) {
      const std::unique_ptr<ReplyHandle> handle(to_answer.exchange(nullptr));
      if (handle) handle->reply(Response::ok());
    }
  });
  for (int i = 0; i < 2 * kCallsEach; ++i) {
    Message message("later");
    message.with_traceparent(kSampled);
    EXPECT_TRUE(net["a"].call(std::move(message), {60'000}).response().succeeded());
  }
  over = true;
  answerer.join();
  EXPECT_TRUE(net.quiet());
}

}  // namespace
}  // namespace busbar::testing
