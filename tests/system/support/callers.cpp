#include "system/support/callers.hpp"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace busbar::system_tests {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

milliseconds since(steady_clock::time_point begun) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
}

}  // namespace

std::unique_ptr<Node> join(const TestCluster& cluster, milliseconds lost_after, const std::string& name) {
  NodeOptions options;
  options.name = name;
  options.join = {cluster.seed()};
  options.heartbeat = milliseconds(200);
  options.lost_after = lost_after;
  auto node = std::make_unique<Node>(std::move(options));
  EXPECT_EQ(node->wait_joined(kLimit), JoinState::joined) << node->refusal();
  return node;
}

Message message_of(std::string_view service, const Json& request) {
  return Message(service, Payload::from_json(request));
}

Response call_at(Node& node, std::string_view only, std::string_view service, const Json& request,
                 milliseconds budget) {
  Message message = message_of(service, request);
  node.dispatcher().dispatch(message, {static_cast<std::uint32_t>(budget.count()), only});
  return message.response();
}

std::vector<std::string> providers(const Node& node, std::string_view service) {
  std::vector<std::string> names;
  for (const auto& provider : node.discover(service)) names.push_back(provider.node);
  std::sort(names.begin(), names.end());
  return names;
}

std::string name_of(const testing::TestParamInfo<Form>& form) {
  return form.param == Form::blocking ? "Blocking" : "Asynchronous";
}

// ---------------------------------------------------------------------------------------------------------- all at
// once

struct Calls::Book {
  mutable Mutex mutex;
  std::vector<Seen> seen BUSBAR_GUARDED_BY(mutex);

  void write(std::size_t index, const Response& response, steady_clock::time_point begun) {
    const MutexLock lock(mutex);
    Seen& row = seen[index];
    if (row.answers++ != 0) return;
    row.response = response;
    row.after = since(begun);
  }
};

Calls::Calls(Node& node, Form form, const What& what) : book_(std::make_shared<Book>()) {
  const auto count = static_cast<std::size_t>(what.count);
  {
    const MutexLock lock(book_->mutex);
    book_->seen.resize(count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (form == Form::blocking) {
      threads_.emplace_back([&node, book = book_, i, what] {
        const auto begun = steady_clock::now();
        book->write(i, node.dispatch(message_of(what.service, what.request), what.budget).response(), begun);
      });
    } else {
      const auto begun = steady_clock::now();
      const auto write = [book = book_, i, begun](Message&& outcome) { book->write(i, outcome.response(), begun); };
      node.dispatch_async(message_of(what.service, what.request), write, what.budget);
    }
  }
}

Calls::~Calls() {
  for (auto& thread : threads_) thread.join();
}

int Calls::answered() const {
  const MutexLock lock(book_->mutex);
  const auto has_answer = [](const Seen& row) { return row.answers != 0; };
  return static_cast<int>(std::count_if(book_->seen.begin(), book_->seen.end(), has_answer));
}

bool Calls::wait() const {
  const int all = static_cast<int>(seen().size());
  return eventually([&] { return answered() == all; }, 2 * kLimit);
}

std::vector<Seen> Calls::seen() const {
  const MutexLock lock(book_->mutex);
  return book_->seen;
}

// --------------------------------------------------------------------------------------------------------- without end

SteadyCallers::SteadyCallers(Node& node, int threads, std::string service, milliseconds budget) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, &node, service, budget] { call_on(node, service, budget); });
  }
}

SteadyCallers::~SteadyCallers() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  for (auto& thread : threads_) thread.join();
}

void SteadyCallers::call_on(Node& node, const std::string& service, milliseconds budget) {
  for (;;) {
    const auto begun = steady_clock::now();
    const Response response = node.dispatch(message_of(service), budget).response();
    const milliseconds took = since(begun);
    const MutexLock lock(mutex_);
    tally_.longest = std::max(tally_.longest, took);
    if (response.succeeded()) {
      ++tally_.succeeded;
      ++tally_.successes[response.value_as<std::int64_t>()];
    } else {
      tally_.failures.push_back(response);
    }
    if (stopped_) return;
  }
}

SteadyCallers::Tally SteadyCallers::tally() const {
  const MutexLock lock(mutex_);
  return tally_;
}

bool SteadyCallers::wait_for_more(std::uint64_t successes) const {
  const auto wanted = tally().succeeded + successes;
  return eventually([&] { return tally().succeeded >= wanted; });
}

// ---------------------------------------------------------------------------------------------------------------
// frozen

Frozen::Frozen(TestHost& host) : host_(&host) { host.process().freeze(); }

void Frozen::wake() {
  if (TestHost* host = std::exchange(host_, nullptr); host != nullptr && host->started()) {
    host->process().signal(SIGCONT);
  }
}

}  // namespace busbar::system_tests
