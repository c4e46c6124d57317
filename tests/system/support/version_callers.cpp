#include "system/support/version_callers.hpp"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "system/support/process.hpp"
#include "system/support/raw_client.hpp"

namespace busbar::system_tests {

namespace {

constexpr std::size_t kMostFailures = 20;  // in words; more of them say nothing new

std::string words_for(const Response& response) {
  return std::string(wire::name_of(response.kind())) + " " + std::string(response.error_code()) + " " +
         std::string(response.bad_rpc_kind()) + ": " + std::string(response.text()) + " " +
         response.value().to_json().dump();
}

}  // namespace

struct VersionCallers::Book {
  // What one caller has had.
  struct Caller {
    std::string name;
    std::uint64_t answered = 0;
    std::uint64_t marked = 0;  // of them, when that was last asked for
    std::uint64_t unavailable = 0;
    int served = 0;  // the stage that was published when its last call with success began
  };

  mutable Mutex mutex;
  bool stopped BUSBAR_GUARDED_BY(mutex) = false;
  std::int64_t before BUSBAR_GUARDED_BY(mutex) = 0;
  std::int64_t newest BUSBAR_GUARDED_BY(mutex) = 0;
  int stage BUSBAR_GUARDED_BY(mutex) = 0;      // of the newest
  int published BUSBAR_GUARDED_BY(mutex) = 0;  // the newest that somebody was answered by
  bool may_be_unavailable BUSBAR_GUARDED_BY(mutex) = false;
  std::vector<Caller> callers BUSBAR_GUARDED_BY(mutex);
  Tally tally BUSBAR_GUARDED_BY(mutex);

  bool goes_on() const {
    const MutexLock lock(mutex);
    return !stopped;
  }
  std::size_t add(std::string name) {
    const MutexLock lock(mutex);
    callers.push_back({.name = std::move(name)});
    return callers.size() - 1;
  }
  // What is published when a call begins.
  int begin() {
    const MutexLock lock(mutex);
    ++tally.calls;
    return published;
  }
  void count_answer() {
    const MutexLock lock(mutex);
    ++tally.answers;
  }
  void end(std::size_t caller, int begun, const Response& response) {
    const MutexLock lock(mutex);
    if (response.succeeded()) {
      judge(callers[caller], begun, response.value_as<std::int64_t>());
    } else if (may_be_unavailable && response.kind() == Response::Kind::service_unavailable) {
      ++tally.unavailable;
      ++callers[caller].unavailable;
    } else {
      fail(callers[caller].name + " was answered " + words_for(response));
    }
    ++callers[caller].answered;
  }
  void fail_at(std::size_t caller, const std::string& how) {
    const MutexLock lock(mutex);
    fail(callers[caller].name + " " + how);
  }

  int newest_stage() const {
    const MutexLock lock(mutex);
    return stage;
  }
  void mark() {
    const MutexLock lock(mutex);
    for (Caller& caller : callers) caller.marked = caller.answered;
  }
  void stop() {
    const MutexLock lock(mutex);
    stopped = true;
  }
  // Nobody waits for what cannot come any more, as something has failed.
  bool wait_for_all(const std::function<bool(const Caller&)>& holds) const {
    return eventually([&] { return all(holds) || has_failed(); }) && !has_failed();
  }

 private:
  bool all(const std::function<bool(const Caller&)>& holds) const {
    const MutexLock lock(mutex);
    return std::all_of(callers.begin(), callers.end(), holds);
  }
  bool has_failed() const {
    const MutexLock lock(mutex);
    return !tally.failures.empty();
  }
  void judge(Caller& caller, int begun, std::int64_t version) BUSBAR_REQUIRES(mutex) {
    ++tally.by[version];
    if (version == newest) {
      published = stage;
    } else if (version != before) {
      return fail(caller.name + " was answered by version " + std::to_string(version) + ", which is not there");
    } else if (begun == stage) {
      return fail(caller.name + " was answered by version " + std::to_string(version) + ", when somebody had been by " +
                  std::to_string(newest) + " before its call began");
    }
    caller.served = begun;
  }
  void fail(std::string words) BUSBAR_REQUIRES(mutex) {
    if (tally.failures.size() < kMostFailures) tally.failures.push_back(std::move(words));
  }
};

VersionCallers::VersionCallers(std::int64_t version) : book_(std::make_shared<Book>()) {
  const MutexLock lock(book_->mutex);
  book_->before = book_->newest = version;
}

VersionCallers::~VersionCallers() { stop(); }

void VersionCallers::add_at(const std::filesystem::path& socket, const std::string& service) {
  const std::size_t caller = book_->add(service + " over " + socket.string());
  threads_.emplace_back([book = book_, caller, socket, service] {
    const RawClient client(socket);
    wire::AdminRequest request;
    request.verb = wire::admin_verb::kCall;
    request.service = service;
    request.timeout_ms = static_cast<std::uint32_t>(std::chrono::milliseconds(kLimit).count());
    while (book->goes_on()) {
      const int begun = book->begin();
      ++request.seq;
      client.send(wire::frame_of(request));
      const auto answer = client.receive();
      if (!answer) return book->fail_at(caller, "was not answered");
      book->count_answer();
      if (answer->seq != request.seq) return book->fail_at(caller, "was given the answer to another call");
      if (!answer->reply)
        return book->fail_at(caller, "was answered " + answer->error.value_or(wire::AdminError{}).text);
      book->end(caller, begun, wire::from_wire(answer->reply->response));
    }
    // What was answered twice comes before the answer to something else.
    request.verb = wire::admin_verb::kStatus;
    ++request.seq;
    client.send(wire::frame_of(request));
    const auto last = client.receive();
    if (!last || last->seq != request.seq) book->fail_at(caller, "was answered twice");
  });
}

void VersionCallers::add_at(Node& node, const std::string& service) {
  const std::size_t caller = book_->add(service + " at a node");
  threads_.emplace_back([book = book_, caller, &node, service] {
    struct Answered {
      std::mutex mutex;
      std::condition_variable changed;
      int count = 0;
    };
    while (book->goes_on()) {
      const auto answered = std::make_shared<Answered>();
      const int begun = book->begin();
      const auto note = [book, caller, begun, answered](Message&& outcome) {
        book->count_answer();
        const std::lock_guard lock(answered->mutex);
        if (++answered->count > 1) return book->fail_at(caller, "was answered twice");
        book->end(caller, begun, outcome.response());
        answered->changed.notify_all();
      };
      node.dispatch_async(Message(service, Payload::from_json(nlohmann::json::object())), note, kLimit);
      std::unique_lock lock(answered->mutex);
      const auto once = [&] { return answered->count != 0; };
      if (!answered->changed.wait_for(lock, 2 * kLimit, once)) return book->fail_at(caller, "was not answered");
    }
  });
}

void VersionCallers::expect(std::int64_t version) {
  const MutexLock lock(book_->mutex);
  book_->before = std::exchange(book_->newest, version);
  ++book_->stage;
}

void VersionCallers::may_be_unavailable(bool allowed) {
  const MutexLock lock(book_->mutex);
  book_->may_be_unavailable = allowed;
  for (auto& caller : book_->callers) caller.unavailable = 0;
}

bool VersionCallers::wait_until_all_are_served() const {
  const int stage = book_->newest_stage();
  return book_->wait_for_all([stage](const Book::Caller& caller) { return caller.served == stage; });
}

bool VersionCallers::wait_for_another_call_each() const {
  book_->mark();
  // What was under way at the mark may have begun before.
  return book_->wait_for_all([](const Book::Caller& caller) { return caller.answered >= caller.marked + 2; });
}

bool VersionCallers::wait_until_unavailable_to_all() const {
  return book_->wait_for_all([](const Book::Caller& caller) { return caller.unavailable != 0; });
}

VersionCallers::Tally VersionCallers::stop() {
  book_->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  return tally();
}

VersionCallers::Tally VersionCallers::tally() const {
  const MutexLock lock(book_->mutex);
  return book_->tally;
}

}  // namespace busbar::system_tests
