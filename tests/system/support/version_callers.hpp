// Callers without end of services that answer the version of their plugin, while its file is replaced again and again.
#pragma once

#include <busbar/message.hpp>
#include <busbar/thread_safety.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <node/node.hpp>
#include <string>
#include <thread>
#include <vector>

namespace busbar::system_tests {

/// Threads that call without end, each of them with one call at a time. Each answer is judged by what was known when
/// its call began: once anybody has been answered by the newest version, that is published, and no call that begins
/// from then on may be answered by the one before, wherever it comes from.
/// Ownership: nodes and hosts outlive it. Threads: one uses it. Stopped by `stop` or the destructor.
class VersionCallers {
 public:
  explicit VersionCallers(std::int64_t version);
  ~VersionCallers();
  VersionCallers(const VersionCallers&) = delete;
  VersionCallers& operator=(const VersionCallers&) = delete;

  /// One that calls over a host's admin socket.
  void add_at(const std::filesystem::path& socket, const std::string& service);
  /// One that calls from a node, and is told each answer by a callback: a second one would be counted.
  void add_at(Node& node, const std::string& service);

  /// From now on this version may answer, too, and when somebody has seen it, it alone. All callers are served by the
  /// one before when this is said: `wait_until_all_are_served`.
  void expect(std::int64_t version);
  /// From now on a call may also be answered service_unavailable, or not any more.
  void may_be_unavailable(bool allowed);

  /// Waits until each caller has been answered by the newest version in a call that began when it was published. False
  /// where a call has failed meanwhile, or it takes too long.
  bool wait_until_all_are_served() const;
  /// Waits until each caller has begun another call, and was answered.
  bool wait_for_another_call_each() const;
  /// Waits until each caller has been answered service_unavailable since that was allowed.
  bool wait_until_unavailable_to_all() const;

  struct Tally {
    std::uint64_t calls = 0;
    std::uint64_t answers = 0;                 ///< also such as nobody has asked for
    std::map<std::int64_t, std::uint64_t> by;  ///< successes, by the version that has answered
    std::uint64_t unavailable = 0;             ///< that was allowed
    std::vector<std::string> failures;         ///< everything else that is not as it should be, in words
  };
  /// Ends all callers; each call that is under way is waited for.
  Tally stop();
  /// What is known so far.
  Tally tally() const;

 private:
  struct Book;
  std::shared_ptr<Book> book_;  // of each callback too: a second answer may come whenever it will
  std::vector<std::thread> threads_;
};

}  // namespace busbar::system_tests
