// What happens seldom, and must be right each time: halted messages with options, one message dispatched twice, answers
// from other threads, services that are registered while nodes come and go.
#include <optional>
#include <thread>

#include "remote.hpp"
#include "support/answerer.hpp"
#include "support/event_log.hpp"

namespace busbar::testing {
namespace {

using ::testing::IsEmpty;

// -------------------------------------------------------------------------------------------------- halted messages

class Halted : public HereAndThere {
 protected:
  // As many as there are; each would be noticed where it was heeded.
  static std::vector<host::DispatchOptions> all_options() {
    return {{},
            {1},
            {kMaxTimeoutMs},
            {0, "a"},
            {0, "b"},
            {0, "nobody"},
            {0, {}, host::CallerIs::outside},
            {0, {}, host::CallerIs::here, {Strategy::least_pending, {}}},
            {7, "b", host::CallerIs::outside, {Strategy::sticky, "key"}}};
  }
  static Message halted_with(const Response& response, const char* service) {
    Message message = Message::of(service, 7);
    message.with_id("the-id").with_correlation("the-story", "the-cause").put_request(std::string("structured"));
    message.assign("key", 1).add_event(std::string("kept")).respond(response);
    return message;
  }
  static void expect_same(const Message& back, const Message& sent) {
    EXPECT_EQ(back.service_name(), sent.service_name());
    EXPECT_EQ(back.id(), sent.id());
    EXPECT_EQ(back.correlation_id(), sent.correlation_id());
    EXPECT_EQ(back.causation_id(), sent.causation_id());
    EXPECT_EQ(back.dry_run(), DryRun::no);
    EXPECT_EQ(back.raw_request().to_json(), 7);
    EXPECT_EQ(back.request().to_json(), "structured");
    EXPECT_EQ(back.assigned<int>("key"), 1);
    EXPECT_EQ(back.events_json(), sent.events_json());
    EXPECT_EQ(back.response().kind(), sent.response().kind());
    EXPECT_EQ(back.response().error_code(), sent.response().error_code());
    EXPECT_TRUE(back.halted());
  }
};
BUSBAR_HERE_AND_THERE(Halted);

TEST_P(Halted, C_D1_ComeBackUntouchedWithWhateverOptions) {
  std::atomic<int> asked{0}, posted{0};
  net.add(provider(), Script()
                          .on("s",
                              [&](Message&, Context&) {
                                ++asked;
                                return Response::ok();
                              })
                          .authorize_with([&](const Message&) {
                            ++asked;
                            return authorized();
                          }));
  for (const char* peer : {"b", "c"}) net.link("a", peer).requests.before_push([&] { ++posted; });
  const auto log = std::make_shared<EventLog>();
  net["a"].events().subscribe(log);
  auto& dispatcher = net["a"].dispatcher();
  for (const Response& response : {Response::ok(1), Response::error("stopped"), Response::missing_id("field")}) {
    for (const char* service : {"s", "nobody_has_this", "Not A Name"}) {
      const Message halted = halted_with(response, service);
      for (const host::DispatchOptions& options : all_options()) {
        expect_same(call(halted, options), halted);
        Message validated(halted);
        dispatcher.validate(validated, options);
        expect_same(validated, halted);
        std::optional<Message> told;
        auto pending = dispatcher.dispatch_cancellable(
            halted, [&](Message&& back) { told = std::move(back); }, options);
        ASSERT_TRUE(told) << "there is nothing to wait for";
        expect_same(*told, halted);
        EXPECT_FALSE(pending.cancel());
      }
    }
  }
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(posted, 0);
  EXPECT_THAT(log->names(), IsEmpty());
}

// An ok that it was halted with is no yes of a router.
TEST_P(Halted, C_D1_C_D11_NobodyIsAskedWhetherTheyWouldBeAuthorized) {
  using Kind = host::AuthorizationAnswer::Kind;
  std::atomic<int> asked{0};
  net.add(provider(), answering("s", "x").authorize_with([&](const Message&) {
    ++asked;
    return forbidden();
  }));
  for (const Response& response : {Response::ok(), Response::error("stopped")}) {
    for (const host::DispatchOptions& options : all_options()) {
      std::optional<host::AuthorizationAnswer> answer;
      if (form() == Form::blocking) {
        answer = net["a"].dispatcher().authorized(halted_with(response, "s"), options);
      } else {
        const auto take = [&](host::AuthorizationAnswer given) { answer = std::move(given); };
        net["a"].dispatcher().authorized_async(halted_with(response, "s"), take, options);
      }
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->kind, Kind::failed);
      EXPECT_EQ(answer->response.kind(), response.kind());
    }
  }
  EXPECT_EQ(asked, 0);
}

// ----------------------------------------------------------------------------------------- one message, dispatched
// twice

class Twice : public HereAndThere {
 protected:
  Twice() {
    net.add(provider(), Script().defer("s", [this](Message& m, Context& context) {
      EXPECT_EQ(m.id(), message.id());
      const std::lock_guard lock(mutex_);
      handles_.push_back(context.reply_handle());
    }));
  }
  std::future<Message> start() {
    if (form() == Form::blocking) {
      return std::async(std::launch::async, [this] { return call(message, {60'000}); });
    }
    const auto outcome = std::make_shared<std::promise<Message>>();
    net["a"].dispatcher().dispatch_async(message, [outcome](Message&& back) { outcome->set_value(std::move(back)); },
                                         {kMaxTimeoutMs});
    return outcome->get_future();
  }
  bool arrived(std::size_t count) {
    return eventually([&] {
      const std::lock_guard lock(mutex_);
      return handles_.size() == count;
    });
  }
  /// The handle of the call that came as the `index`th of those that are here.
  ReplyHandle take(std::size_t index) {
    const std::lock_guard lock(mutex_);
    ReplyHandle handle = std::move(handles_[index]);
    handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(index));
    return handle;
  }

  const Message message{"s"};

 private:
  std::mutex mutex_;
  std::vector<ReplyHandle> handles_;
};
BUSBAR_HERE_AND_THERE(Twice);

TEST_P(Twice, C_D6_EachOfTwoAtOnceGetsItsOwnAnswer) {
  for (int round = 0; round < 50; ++round) {
    std::future<Message> first = start();
    ASSERT_TRUE(arrived(1));
    std::future<Message> second = start();
    ASSERT_TRUE(arrived(2));
    // The later one is answered while the earlier one waits.
    EXPECT_TRUE(take(1).reply(Response::ok(2)));
    const Message of_second = second.get();
    ASSERT_EQ(of_second.response().value().to_json(), 2) << round;
    EXPECT_EQ(first.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    EXPECT_TRUE(take(0).reply(Response::ok(1)));
    const Message of_first = first.get();
    ASSERT_EQ(of_first.response().value().to_json(), 1) << round;
    EXPECT_EQ(of_first.id(), message.id());
    EXPECT_EQ(of_second.id(), message.id());
  }
  EXPECT_TRUE(net.quiet());
}

TEST_P(Twice, C_D6_OneAfterTheOtherIsServedEachTime) {
  for (int round = 0; round < 50; ++round) {
    std::future<Message> outcome = start();
    ASSERT_TRUE(arrived(1));
    EXPECT_TRUE(take(0).reply(Response::ok(round)));
    ASSERT_EQ(outcome.get().response().value().to_json(), round);
  }
  EXPECT_TRUE(net.quiet());
}

// ------------------------------------------------------------------------------------- answers from another thread

// On one node: Replies in reply_test.cpp.
class RepliesThere : public RemoteTest {
 protected:
  LinkedHubs net{{"a", "b"}};
  Answerer answerer;  // ends first
};
BUSBAR_BOTH_FORMS(RepliesThere);

TEST_P(RepliesThere, C_D13_FromAnotherThreadInTimeAreAlwaysReceived500Of500) {
  net.add("b", Script().defer("later", [&](Message& m, Context& context) {
    answerer.answer(context.reply_handle(), Response::ok(m.raw_request_as<int>() + 1));
  }));
  for (int i = 0; i < 500; ++i) {
    const Message back = call(net["a"], Message::of("later", i), {60'000});
    ASSERT_TRUE(back.response().succeeded()) << i << " " << shown(back.response());
    ASSERT_EQ(back.response().value_as<int>(), i + 1);
  }
  EXPECT_TRUE(net.quiet());
  EXPECT_EQ(net["a"].dispatcher().late_answers(), 0u);
}

TEST_P(RepliesThere, C_D13_FromAnotherThreadTooLateAreAlwaysTimeouts200Of200) {
  std::mutex mutex;
  std::vector<std::shared_ptr<ReplyHandle>> kept;  // of those that were started
  net.add("b", Script()
                   .defer("late",
                          [&](Message&, Context& context) {
                            const std::lock_guard lock(mutex);
                            kept.push_back(std::make_shared<ReplyHandle>(context.reply_handle()));
                          })
                   .on("now", [](Message&, Context&) { return Response::ok(std::string("its own")); }));
  for (unsigned late = 0; late < 200;) {
    const Message back = call(net["a"], Message::of("late", late), {2});
    ASSERT_EQ(back.response().kind(), Response::Kind::service_timeout) << late << " " << shown(back.response());
    ASSERT_EQ(back.response().timeout_ms(), 2u);
    // One that ran out of time on its way is not started, or only beside the next: it is made once more.
    ASSERT_TRUE(eventually([&] { return net["b"].idle(); }));
    std::vector<std::shared_ptr<ReplyHandle>> expired;
    {
      const std::lock_guard lock(mutex);
      expired.swap(kept);
    }
    if (expired.empty()) continue;
    for (const auto& handle : expired) {
      answerer.later([handle] {
        EXPECT_TRUE(handle->reply(Response::ok(std::string("late")))) << "taken and discarded, not refused";
        EXPECT_FALSE(handle->reply(Response::ok(std::string("twice"))));
      });
    }
    ++late;
    // Nor is it the answer of the next call.
    ASSERT_EQ(call(net["a"], Message("now"), {60'000}).response().value_as<std::string>(), "its own");
  }
  EXPECT_TRUE(net.quiet());
}

// -------------------------------------------------------------------------------- registering while nodes change

TEST(RegisteredByTheCaller, C_G5_IsFoundByItsNextLookup200Of200) {
  LinkedHubs net{{"a", "b"}};
  std::atomic<int> changes{0};
  // Node b comes and goes, and with it a provider of the same services; a caller keeps looking.
  const std::jthread other([&](const std::stop_token& over) {
    for (int i = 0; !over.stop_requested(); ++i) {
      std::vector<registry::RemoteService> services{{"s_" + std::to_string(i % 200), "elsewhere"}};
      net["a"].registry().put_node(net.link("a", "b").peer(), std::move(services));
      if (i % 3 == 0) net["a"].registry().remove_node(net.link("a", "b").peer());
      net["a"].dispatcher().discover_service(Message("s_0"));
      ++changes;
    }
  });
  ASSERT_TRUE(eventually([&] { return changes > 0; }));
  for (int i = 0; i < 200; ++i) {
    const std::string service = "s_" + std::to_string(i), router = "router_" + std::to_string(i);
    net["a"].add(router, answering(service, "mine"));
    const auto found = net["a"].dispatcher().discover_service(Message(service));
    ASSERT_FALSE(found.empty()) << i;
    EXPECT_EQ(found.front().node, "local");
    EXPECT_EQ(found.front().router, router);
    const Message back = net["a"].call(service);
    ASSERT_TRUE(back.response().succeeded()) << i << " " << shown(back.response());
    EXPECT_EQ(back.response().value_as<std::string>(), "mine");
  }
}

}  // namespace
}  // namespace busbar::testing
