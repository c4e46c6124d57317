// Somebody on the way between a client and a host, who keeps what the client says, and can say it again.
#pragma once

#include <busbar/thread_safety.hpp>

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace busbar::system_tests {

/// Listens on the loopback, and hands on what is said there, in both directions.
/// Ownership: all its connections end with it. Threads: one uses it; one of its own moves the bytes.
class RecordingRelay {
 public:
  using Bytes = std::vector<std::uint8_t>;

  /// `target`: tcp://IPv4:PORT. Errors: std::runtime_error.
  explicit RecordingRelay(const std::string& target);
  ~RecordingRelay();
  RecordingRelay(const RecordingRelay&) = delete;
  RecordingRelay& operator=(const RecordingRelay&) = delete;

  /// Where it listens: tcp://127.0.0.1:PORT.
  const std::string& address() const { return address_; }
  /// What was said over each connection by who opened it, in their order.
  std::vector<Bytes> recordings() const;
  /// Says that over the newest connection, to who was connected to, as if who opened it had said it.
  void say(std::span<const std::uint8_t> bytes) const;
  /// Ends all connections there are.
  void hang_up();

 private:
  struct Pair {
    int opener = -1;
    int target = -1;
    Bytes said;
    bool over = false;
  };
  void run();
  void accept_one() BUSBAR_REQUIRES(mutex_);
  void move(Pair& pair, short opener_events, short target_events) BUSBAR_REQUIRES(mutex_);
  static void end(Pair& pair);

  const std::string target_;
  int listening_ = -1;
  std::string address_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Pair>> pairs_ BUSBAR_GUARDED_BY(mutex_);
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// The pieces of a recording of ZMTP: the greeting, and each frame behind it; what is cut off at the end is the last.
std::vector<RecordingRelay::Bytes> zmtp_pieces(std::span<const std::uint8_t> recording);

}  // namespace busbar::system_tests
