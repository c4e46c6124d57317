// Many calls at once from a node in the test's own process, which is a member of the cluster like any program.
#pragma once

#include <gtest/gtest.h>

#include <busbar/message.hpp>
#include <busbar/thread_safety.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <node/node.hpp>
#include <string>
#include <thread>
#include <vector>

#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {

/// A member of the cluster that offers nothing; as quick to notice silence as `lost_after` says.
std::unique_ptr<Node> join(const TestCluster& cluster, std::chrono::milliseconds lost_after,
                           const std::string& name = "tester");

/// The message of such a call. `request`: as in `busbar call`.
Message message_of(std::string_view service, const Json& request = Json::object());
/// Dispatches with the node named that must serve it; empty: anybody.
Response call_at(Node& node, std::string_view only, std::string_view service, const Json& request = Json::object(),
                 std::chrono::milliseconds budget = kLimit);
/// Where it can be called now.
std::vector<std::string> providers(const Node& node, std::string_view service);

/// Both ways in which a program can call (C-D16).
enum class Form { blocking, asynchronous };
std::string name_of(const testing::TestParamInfo<Form>& form);

/// One call, as its caller has seen it.
struct Seen {
  Response response;
  std::chrono::milliseconds after{0};  ///< from the call to its first answer
  int answers = 0;
};

/// Calls that are all under way at once. Ownership: the node outlives it. Threads: one uses it.
class Calls {
 public:
  struct What {
    int count = 64;
    std::string service;
    std::chrono::milliseconds budget = kLimit;
    Json request = Json::object();
  };
  Calls(Node& node, Form form, const What& what);
  /// Waits for the blocking ones, which end with their budget.
  ~Calls();
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  int answered() const;
  /// Waits until each has been answered.
  bool wait() const;
  std::vector<Seen> seen() const;

 private:
  struct Book;
  std::shared_ptr<Book> book_;  // of each callback too: a second answer may come whenever it will
  std::vector<std::thread> threads_;
};

/// Threads that call one service, which answers with a number, without end, each of them with one call at a time.
/// Stopped by the destructor.
class SteadyCallers {
 public:
  SteadyCallers(Node& node, int threads, std::string service, std::chrono::milliseconds budget);
  ~SteadyCallers();
  SteadyCallers(const SteadyCallers&) = delete;
  SteadyCallers& operator=(const SteadyCallers&) = delete;

  struct Tally {
    std::vector<Response> failures;                   ///< each that was no success
    std::map<std::int64_t, std::uint64_t> successes;  ///< by the number that was answered
    std::uint64_t succeeded = 0;
    std::chrono::milliseconds longest{0};
  };
  Tally tally() const;
  /// Waits until that many more have succeeded.
  bool wait_for_more(std::uint64_t successes) const;

 private:
  void call_on(Node& node, const std::string& service, std::chrono::milliseconds budget);

  mutable Mutex mutex_;
  Tally tally_ BUSBAR_GUARDED_BY(mutex_);
  bool stopped_ BUSBAR_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

/// A host that is stopped by SIGSTOP, until `wake` or the end of the scope.
class Frozen {
 public:
  explicit Frozen(TestHost& host);
  ~Frozen() { wake(); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  void wake();

 private:
  TestHost* host_;
};

}  // namespace busbar::system_tests
