// Everything at once from many threads: for the sanitizers, and for the invariant that each call ends exactly once.
#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <random>
#include <thread>

#include "support/event_log.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

#if defined(BUSBAR_SANITIZE_ADDRESS) || defined(BUSBAR_SANITIZE_THREAD)
constexpr int kCallsEach = 3000;
#else
constexpr int kCallsEach = 8000;
#endif
constexpr int kThreads = 6;

/// Keeps reply handles, and answers or drops them from threads of its own.
class Answerers {
 public:
  Answerers() {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this, i] { run(static_cast<unsigned>(i)); });
  }
  ~Answerers() { stop(); }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    bell_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  void take(ReplyHandle handle, int value) {
    {
      const std::lock_guard lock(mutex_);
      queue_.emplace_back(std::move(handle), value);
    }
    bell_.notify_one();
  }

 private:
  void run(unsigned seed) {
    std::minstd_rand random(seed + 1);
    std::unique_lock lock(mutex_);
    for (;;) {
      bell_.wait(lock, [this] { return over_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto [handle, value] = std::move(queue_.back());
      queue_.pop_back();
      lock.unlock();
      static_cast<void>(handle.caller_gone());
      if (random() % 8 != 0) handle.reply(Response::ok(value));
      if (random() % 8 == 0) {
        handle.reply(Response::ok(value));
        EXPECT_FALSE(handle.reply(Response::ok(value))) << "a second answer was taken";
      }
      { const ReplyHandle gone(std::move(handle)); }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable bell_;
  std::vector<std::pair<ReplyHandle, int>> queue_;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

TEST(DispatchHammer, EveryCallEndsExactlyOnceWithItsOwnAnswer) {
  Hub hub({2, 24, 500, host::kMillisecond, 20 * host::kMillisecond, {}});
  Answerers answerers;
  Script script;
  const auto echo = [](Message& m, Context&) {
    m.assign("seen", m.raw_request_as<int>()).add_event(m.raw_request_as<int>());
    return Response::ok_payload(m.raw_request());
  };
  script.on("pooled", echo).on("inlined", echo, BUSBAR_SERVICE_INLINE);
  script.defer("later", [&](Message& m, Context& c) { answerers.take(c.reply_handle(), m.raw_request_as<int>()); });
  script.defer(
      "later_inlined", [&](Message& m, Context& c) { answerers.take(c.reply_handle(), m.raw_request_as<int>()); },
      BUSBAR_SERVICE_INLINE);
  script.on("nested", [](Message& m, Context& c) {
    const Message back = c.call("pooled", m.raw_request_as<int>());
    return back.response();
  });
  script.on("nested_later", [](Message& m, Context& c) {
    return c.call(m.raw_request_as<int>() % 2 == 0 ? "later" : "later_inlined", m.raw_request_as<int>()).response();
  });
  script.on("throws", [](Message&, Context&) -> Response { throw std::runtime_error("thrown"); });
  script.on("slow", [](Message& m, Context& c) {
    while (!c.caller_gone()) std::this_thread::yield();
    return Response::ok_payload(m.raw_request());
  });
  hub.add("p", script);

  static constexpr const char* kServices[] = {"pooled", "inlined",      "later",  "later_inlined",
                                              "nested", "nested_later", "throws", "slow"};
  std::atomic<int> begun{0}, ended{0}, cancelled{0}, wrong{0};
  const auto check = [&](const Message& back, const std::string& service, int value, const std::string& id) {
    const Response& r = back.response();
    bool fits = back.id() == id && back.raw_request().empty() && back.halted();
    if (r.kind() == Response::Kind::ok) {
      fits = fits && service != "throws" && r.value_as<int>() == value;
    } else if (r.kind() == Response::Kind::service_timeout) {
      fits = fits && !r.message_id().empty();
    } else if (service == "throws") {
      fits = fits && (r.is_bad_rpc("exit") || r.is_error("no_nodes_available"));
    } else {
      fits = fits && (r.is_bad_rpc("bad_return") || r.is_error("no_nodes_available") || r.is_error("overloaded"));
    }
    if (!fits) {
      ++wrong;
      ADD_FAILURE() << service << " " << value << ": kind " << static_cast<int>(r.kind()) << " " << r.error_code()
                    << " " << r.text() << " " << r.value().to_json().dump();
    }
  };

  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] {
      std::minstd_rand random(static_cast<unsigned>(t) + 17);
      for (int i = 0; i < kCallsEach; ++i) {
        const int value = t * kCallsEach + i;
        const std::string service = kServices[random() % std::size(kServices)];
        const std::uint32_t timeout = service == "slow" || random() % 4 == 0 ? 1 + random() % 3 : 60'000;
        Message message = Message::of(service, value);
        if (random() % 4 == 0) message.with_dry_run(DryRun::verbose);
        const std::string id(message.id());
        switch (random() % 4) {
          case 0:
          case 1: {
            hub.dispatcher().dispatch(message, {timeout});
            check(message, service, value, id);
            break;
          }
          case 2: {
            ++begun;
            hub.dispatcher().dispatch_async(std::move(message),
                                            [&, service, value, id](Message&& back) {
                                              check(back, service, value, id);
                                              ++ended;
                                            },
                                            {timeout});
            break;
          }
          default: {
            ++begun;
            auto pending = hub.dispatcher().dispatch_cancellable(std::move(message),
                                                                 [&, service, value, id](Message&& back) {
                                                                   check(back, service, value, id);
                                                                   ++ended;
                                                                 },
                                                                 {timeout});
            if (random() % 2 == 0) std::this_thread::yield();
            if (pending.cancel()) ++cancelled;
          }
        }
      }
    });
  }
  // Meanwhile routers come and go, observers too.
  std::atomic<bool> over{false};
  std::thread registrar([&] {
    while (!over) {
      const auto log = std::make_shared<EventLog>();
      hub.events().subscribe(log);
      hub.registry().register_router("other", {std::make_shared<registry::LocalProvider>(
                                                  "other_service", "other", registry::Visibility::public_)});
      hub.registry().withdraw_router("other");
      hub.events().unsubscribe(log);
      std::this_thread::yield();
    }
  });
  for (auto& caller : callers) caller.join();
  EXPECT_TRUE(eventually([&] { return ended + cancelled == begun; }))
      << ended << " ended, " << cancelled << " cancelled of " << begun;
  over = true;
  registrar.join();
  answerers.stop();
  EXPECT_TRUE(hub.quiet());
  EXPECT_EQ(ended + cancelled, begun) << "none ended twice";
  EXPECT_EQ(wrong, 0);
}

TEST(DispatchHammer, ACancelledAnAnsweredAndAnExpiredCallRaceAndOneWins) {
  Hub hub;
  Answerers answerers;
  hub.add("p", Script().defer("later", [&](Message& m, Context& c) {
    answerers.take(c.reply_handle(), m.raw_request_as<int>());
  }));
  for (int i = 0; i < kCallsEach / 2; ++i) {
    std::atomic<int> ends{0};
    auto pending = hub.dispatcher().dispatch_cancellable(Message::of("later", i), [&](Message&&) { ++ends; }, {1});
    if (i % 3 == 0) std::this_thread::yield();
    if (i % 3 == 1) std::this_thread::sleep_for(std::chrono::microseconds(900));  // near the deadline, on purpose
    const bool cancelled = pending.cancel();
    if (!cancelled) {
      ASSERT_TRUE(eventually([&] { return ends == 1; }));
    }
    pending = {};
    ASSERT_TRUE(hub.quiet());
    ASSERT_EQ(ends, cancelled ? 0 : 1);
  }
  answerers.stop();
}

}  // namespace
}  // namespace busbar::testing
