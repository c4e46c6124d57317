// Many threads that answer, many connections: nothing may be left behind in a queue, and no request be missed.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <random>
#include <thread>

#include "call_server_testing.hpp"

namespace busbar::testing {
namespace {

/// Threads that answer what the serving thread hands to them; sometimes they announce more.
class Workers {
 public:
  explicit Workers(unsigned count) {
    for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this, i] { run(i); });
  }
  ~Workers() {
    {
      const MutexLock lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void hand(const std::shared_ptr<Requester>& from, std::uint64_t attempt) {
    {
      const MutexLock lock(mutex_);
      waiting_.push_back({from, attempt});
    }
    changed_.notify_one();
  }

 private:
  struct Task {
    std::shared_ptr<Requester> from;
    std::uint64_t attempt;
  };

  bool next(Task& task) {
    mutex_.lock();
    while (waiting_.empty() && !done_) changed_.wait(mutex_);
    const bool found = !waiting_.empty();
    if (found) {
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    mutex_.unlock();
    return found;
  }

  void run(unsigned seed) {
    std::minstd_rand random(seed + 1);
    Task task;
    while (next(task)) {
      // An announcement is kept or broken, as it comes.
      EXPECT_EQ(task.from->answer(answer_of(task.attempt, random() % 200), random() % 2 == 0), Sent::kYes);
      if (random() % 8 == 0) std::this_thread::yield();
    }
  }

  Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Task> waiting_ BUSBAR_GUARDED_BY(mutex_);
  bool done_ BUSBAR_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

/// Sends `count` requests, at most `window` under way, and expects each answer once.
void call_many(Caller& caller, std::uint64_t count, std::uint64_t window, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<bool> answered(count, false);
  std::uint64_t sent = 0;
  std::uint64_t got = 0;
  while (got < count) {
    while (sent < count && sent - got < window) {
      Bytes frame;
      for (std::uint64_t more = 1 + random() % std::min<std::uint64_t>(window, 4); more > 0 && sent < count;
           --more, ++sent) {
        const Bytes one = request_of(sent);
        frame.insert(frame.end(), one.begin(), one.end());
      }
      caller.send(frame);
    }
    const auto heard = caller.frame();
    ASSERT_FALSE(heard.empty()) << "stranded: " << got << " of " << sent << " answered";
    for (const Heard& one : heard) {
      ASSERT_EQ(one.type, EnvelopeType::answer);
      ASSERT_FALSE(answered.at(one.attempt));
      answered[one.attempt] = true;
      ++got;
    }
  }
}

TEST(CallServerHammer, FourThreadsAnswerThreeConnectionsAndNothingIsLost) {
  Workers workers(4);
  std::atomic<unsigned> handled{0};
  Served served([&](const std::shared_ptr<Requester>& from, const Envelope& e) {
    if (handled.fetch_add(1) % 5 == 0) {
      from->answer(answer_of(e.attempt), false);  // an inline service among them
    } else {
      workers.hand(from, e.attempt);
    }
  });
  std::vector<std::thread> callers;
  for (unsigned i = 0; i < 3; ++i) {
    callers.emplace_back([&, i] {
      Caller caller = served.caller();
      caller.greet("caller" + std::to_string(i));
      call_many(caller, 3'000, 1 + 20 * i, i + 1);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(served.stats().unanswerable, 0u);
}

// With one request under way there is nothing that would hide a stranded answer or a request that was not noticed.
TEST(CallServerHammer, ALoneCallerOfEachConnectionIsNeverForgotten) {
  Workers workers(2);
  Served served([&](const std::shared_ptr<Requester>& from, const Envelope& e) { workers.hand(from, e.attempt); });
  std::vector<std::thread> callers;
  for (unsigned i = 0; i < 3; ++i) {
    callers.emplace_back([&, i] {
      Caller caller = served.caller();
      caller.greet("caller" + std::to_string(i));
      call_many(caller, 3'000, 1, i + 1);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// A worker's send reads what ZMQ_FD would have told the serving thread: the request must be noticed all the same.
TEST(CallServerHammer, ARequestThatArrivesWhileAWorkerSendsIsNoticed) {
  Served served([](const auto& from, const Envelope& e) {
    if (e.service == "echo") from->answer(answer_of(e.attempt), false);
  });
  Caller silent = served.caller();
  silent.greet("silent");
  silent.send(request_of(1, "never_answered"));
  ASSERT_TRUE(eventually([&] { return served.requests.last() != nullptr; }));
  const auto requester = served.requests.last();
  std::atomic<bool> done{false};
  std::thread worker([&] {
    // One at a time: a full queue would have the serving thread look around by itself.
    while (!done) {
      requester->answer(answer_of(0), false);
      silent.frame();
    }
  });
  Caller caller = served.caller();
  caller.greet("caller");
  call_many(caller, 10'000, 1, 1);
  done = true;
  worker.join();
}

// The answer comes from no sooner than the request's hand-over to some microseconds after: while the serving thread
// makes up its mind to sleep.
TEST(CallServerHammer, AnAnswerThatMeetsTheServingThreadOnItsWayToSleepIsNotStranded) {
  std::atomic<std::uint64_t> handed{0};  // attempt + 1
  Served served([&](const auto&, const Envelope& e) { handed.store(e.attempt + 1, std::memory_order_release); });
  Caller caller = served.caller();
  caller.greet();
  std::atomic<bool> done{false};
  std::thread worker([&] {
    std::minstd_rand random(1);
    while (!done) {
      const std::uint64_t attempt = handed.exchange(0, std::memory_order_acquire);
      if (attempt == 0) continue;
      for (unsigned spins = random() % 3'000; spins > 0; --spins) handed.load(std::memory_order_relaxed);
      served.requests.last()->answer(answer_of(attempt - 1), false);
    }
  });
  call_many(caller, 6'000, 1, 1);
  done = true;
  worker.join();
}

TEST(CallServerHammer, ConnectionsComeAndGoUnderWorkersThatAnswerThem) {
  Workers workers(2);
  Served served([&](const std::shared_ptr<Requester>& from, const Envelope& e) {
    if (e.service == "flood") {
      for (std::uint64_t i = 0; i < 20; ++i) {
        from->answer(answer_of(i, 40'000), i % 2 == 0);  // it may be gone by now
      }
    } else {
      workers.hand(from, e.attempt);
    }
  });
  Caller stays = served.caller();
  stays.greet("stays");
  std::thread coming([&] {
    for (int round = 0; round < 100; ++round) {
      Caller caller = served.caller();
      caller.greet("comes");
      caller.send(request_of(1, "flood"));
      if (round % 2 == 0) caller.frame();
    }
  });
  call_many(stays, 3'000, 4, 1);
  coming.join();
  ASSERT_TRUE(eventually([&] { return served.requests.gone().size() == 100; }));
  EXPECT_EQ(served.stats().connections, 1u);
}

}  // namespace
}  // namespace busbar::testing
