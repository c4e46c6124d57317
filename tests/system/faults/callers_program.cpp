// callers NAME SEED HOST HEARTBEAT_MS LOST_AFTER_MS CALLERS BUDGET_MS: becomes a member of the cluster through SEED, at
// addresses of HOST, and calls "work", as soon as it is there, from so many threads without end, each with one call at
// a time: one that it waits for itself, then one that is answered by a callback, and so on. What has become of the
// calls, and whom it knows, it says on standard output, as a JSON object a line, several times a second. On SIGTERM it
// ends its calls, says it a last time, and leaves.
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <node/node.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kSaidEvery{100};
constexpr milliseconds kBetweenCalls{20};
constexpr milliseconds kShortBudget{1'000};    // of each eighth call, so that silence outlasts it
constexpr milliseconds kSlack{200};            // beyond the budget, and beyond what this process was kept waiting
constexpr milliseconds kGivenUpAfter{30'000};  // beyond its budget: such a call is never answered

struct Task {
  std::uint64_t number = 0;
  std::uint32_t ms = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number), CEREAL_NVP(ms));
  }
};

struct Done {
  std::uint64_t number = 0;
  std::int64_t pid = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number), CEREAL_NVP(pid));
  }
};

milliseconds since(Clock::time_point begun) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begun); }

std::int64_t ms_of(Clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

std::string in_words(const busbar::Response& response) {
  switch (response.kind()) {
    case busbar::Response::Kind::service_unavailable:
      return "service_unavailable";
    case busbar::Response::Kind::service_timeout:
      return "service_timeout after " + std::to_string(response.timeout_ms()) + " ms";
    case busbar::Response::Kind::error: {
      const std::string kind(response.bad_rpc_kind());
      return std::string(response.error_code()) + (kind.empty() ? "" : " " + kind);
    }
    default:
      return "kind " + std::to_string(static_cast<int>(response.kind()));
  }
}

/// How long this process is kept from running, by others on these processors, or with one of them by whoever shares out
/// the machine's: what somebody oversleeps there who wants to sleep for a moment only.
class Stalls {
 public:
  Stalls() {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) CPU_ZERO(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      watching_.emplace_back([this, cpu](const std::stop_token& stop) { watch(stop, cpu); });
    }
  }
  milliseconds longest() const { return milliseconds(longest_); }

 private:
  void watch(const std::stop_token& stop, int cpu) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(cpu, &here);
    ::sched_setaffinity(0, sizeof here, &here);
    constexpr milliseconds kMoment{10};
    while (!stop.stop_requested()) {
      const auto begun = Clock::now();
      std::this_thread::sleep_for(kMoment);
      const std::int64_t stalled = (since(begun) - kMoment).count();
      std::int64_t longest = longest_;
      while (stalled > longest && !longest_.compare_exchange_weak(longest, stalled)) {
      }
    }
  }

  std::atomic<std::int64_t> longest_{0};
  std::vector<std::jthread> watching_;  // one for each processor
};

/// What has become of the calls. Threads: any.
class Book {
 public:
  std::uint64_t begin() {
    const std::lock_guard lock(mutex_);
    return ++begun_;
  }
  void end(std::uint64_t number, Clock::time_point begun, milliseconds budget, const busbar::Response& response) {
    const milliseconds over = since(begun) - budget;
    const std::lock_guard lock(mutex_);
    ++answered_;
    worst_ = std::max(worst_, over);
    if (response.succeeded()) {
      ++succeeded_;
      last_success_ = std::max(last_success_, begun);
      if (response.value_as<Done>().number != number) ++wrong_;
    } else {
      ++failed_[in_words(response)];
      last_failure_ = std::max(last_failure_, begun);
    }
  }
  void answered_again() {
    const std::lock_guard lock(mutex_);
    ++twice_;
  }

  nlohmann::json tell() const {
    const std::lock_guard lock(mutex_);
    // An answer wakes two threads, one after the other.
    const bool is_late = worst_ > kSlack + 2 * stalls_.longest();
    return {{"begun", begun_},
            {"answered", answered_},
            {"succeeded", succeeded_},
            {"failed", failed_},
            {"twice", twice_},
            {"late", is_late},
            {"stalled_ms", stalls_.longest().count()},
            {"wrong", wrong_},
            {"worst_ms_beyond_budget", worst_.count()},
            {"last_success_begun_ms", ms_of(last_success_)},
            {"last_failure_begun_ms", ms_of(last_failure_)}};
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t begun_ = 0, answered_ = 0, succeeded_ = 0, twice_ = 0, wrong_ = 0;
  std::map<std::string, std::uint64_t> failed_{};
  milliseconds worst_{milliseconds::min()};
  Clock::time_point last_success_{}, last_failure_{};
  Stalls stalls_;
};

/// Of a call with a callback: whether its answer has come, and been written down.
class Answer {
 public:
  /// False: it was there already.
  bool come() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(has_come_, true);
  }
  void written() {
    const std::lock_guard lock(mutex_);
    is_written_ = true;
    changed_.notify_all();
  }
  void wait(milliseconds limit) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return is_written_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool has_come_ = false, is_written_ = false;
};

class Callers {
 public:
  Callers(busbar::Node& node, int count, milliseconds budget) : node_(node), budget_(budget) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { call_on(i); });
  }
  const Book& book() const { return book_; }
  /// False: there is one that is not answered in any time.
  bool stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, budget_ + kGivenUpAfter, [&] { return ended_ == threads_.size(); })) return false;
    }
    for (auto& thread : threads_) thread.join();
    return true;
  }

 private:
  void call_on(int which) {
    bool with_callback = which % 2 == 0;
    do {
      const std::uint64_t number = book_.begin();
      const Task task{number, number % 4 == 0 ? 10U : 0U};
      const auto begun = Clock::now();
      const milliseconds budget = number % 8 == 0 ? kShortBudget : budget_;
      with_callback ? call_back(task, begun, budget) : call(task, begun, budget);
      with_callback = !with_callback;
    } while (pause());
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  void call(const Task& task, Clock::time_point begun, milliseconds budget) {
    book_.end(task.number, begun, budget, node_.dispatch(busbar::Message::of("work", task), budget).response());
  }

  void call_back(const Task& task, Clock::time_point begun, milliseconds budget) {
    auto answer = std::make_shared<Answer>();
    node_.dispatch_async(
        busbar::Message::of("work", task),
        [this, answer, task, begun, budget](const busbar::Message& message) {
          if (!answer->come()) return book_.answered_again();
          book_.end(task.number, begun, budget, message.response());
          answer->written();
        },
        budget);
    answer->wait(budget + kGivenUpAfter);
  }

  bool pause() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kBetweenCalls, [&] { return stopping_; });
    return !stopping_;
  }

  busbar::Node& node_;
  const milliseconds budget_;
  Book book_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::size_t ended_ = 0;
  std::vector<std::thread> threads_;
};

void tell(const busbar::Node& node, const Callers& callers, bool is_last) {
  nlohmann::json said = callers.book().tell();
  said["last"] = is_last;
  said["nodes"] = nlohmann::json::object();
  for (const auto& row : node.nodes()) {
    said["nodes"][row.name] = {{"state", name_of(row.state)}, {"incarnation", row.incarnation}};
  }
  said["providers"] = nlohmann::json::object();
  for (const char* service : {"work", "other_work"}) {
    auto& providers = said["providers"][service] = nlohmann::json::array();
    for (const auto& provider : node.discover(service)) providers.push_back(provider.node);
  }
  std::cout << said.dump() << '\n' << std::flush;
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 8) throw std::runtime_error("expected NAME SEED HOST HEARTBEAT_MS LOST_AFTER_MS CALLERS BUDGET_MS");
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  busbar::NodeOptions options;
  options.name = arguments[1];
  options.join = {arguments[2]};
  options.listen = options.registry_listen = std::string("tcp://") + arguments[3] + ":*";
  options.insecure = true;
  options.heartbeat = milliseconds(std::stoi(arguments[4]));
  options.lost_after = milliseconds(std::stoi(arguments[5]));
  busbar::Node node(std::move(options));
  if (!node.wait_for("work", kGivenUpAfter)) throw std::runtime_error("nobody offers \"work\" " + node.refusal());
  Callers callers(node, std::stoi(arguments[6]), milliseconds(std::stoi(arguments[7])));
  const timespec every{0, std::chrono::nanoseconds(kSaidEvery).count()};
  while (sigtimedwait(&ends, nullptr, &every) != SIGTERM) tell(node, callers, false);
  const bool all_answered = callers.stop();
  tell(node, callers, true);
  if (!all_answered) _exit(1);
  node.stop();
  return 0;
} catch (const std::exception& error) {
  std::cerr << "callers: " << error.what() << "\n";
  return 1;
}
