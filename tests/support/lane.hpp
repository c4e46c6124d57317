// One direction of a connection between two nodes of one process: envelopes as bytes, carried by a thread of its own,
// and interfered with as a test wants it.
#pragma once

#include <busbar/wire/envelope.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "dispatch/peer.hpp"

namespace busbar::testing {

/// What becomes of an envelope on its way.
enum class Fate { pass, hold, drop, twice };

inline std::vector<std::uint8_t> encode(const wire::Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return {sink.bytes().begin(), sink.bytes().end()};
}

/// Threads: any.
class Lane {
 public:
  using Deliver = std::function<void(const wire::Envelope&)>;
  using Decide = std::function<Fate(const wire::Envelope&)>;

  explicit Lane(Deliver deliver) : deliver_(std::move(deliver)), thread_([this] { run(); }) {}
  ~Lane() { stop(); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  host::Sent push(std::span<const std::uint8_t> bytes) {
    std::function<void()> before, after;
    {
      const std::lock_guard lock(mutex_);
      before = before_push_;
    }
    if (before) before();
    {
      const std::lock_guard lock(mutex_);
      if (cut_ || stopped_) return host::Sent::kDown;
      if (refusal_ != host::Sent::kYes) return refusal_;
      if (bytes.size() > largest_) return otherwise_;
      take({bytes.begin(), bytes.end()});
      after = after_push_;
    }
    bell_.notify_all();
    if (after) after();
    return host::Sent::kYes;
  }

  /// Decides from now on. Must not use the lane.
  void decide(Decide decide) {
    const std::lock_guard lock(mutex_);
    decide_ = std::move(decide);
  }
  void hold() {
    decide([](const wire::Envelope&) { return Fate::hold; });
  }
  /// Lets go what is held, and holds no more.
  void release(bool reversed = false) {
    {
      const std::lock_guard lock(mutex_);
      decide_ = {};
      if (reversed) held_ = {held_.rbegin(), held_.rend()};
      for (auto& frame : held_) queue_.push_back(std::move(frame));
      held_.clear();
    }
    bell_.notify_all();
  }
  std::vector<std::uint8_t> first_held() const {
    const std::lock_guard lock(mutex_);
    return held_.at(0);
  }
  std::size_t held() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }

  /// From now on nothing is taken, for this reason; kYes: it is again.
  void refuse_with(host::Sent refusal) {
    const std::lock_guard lock(mutex_);
    refusal_ = refusal;
  }
  /// Nothing larger is taken; `otherwise` says why.
  void largest(std::size_t bytes, host::Sent otherwise = host::Sent::kTooLarge) {
    const std::lock_guard lock(mutex_);
    largest_ = bytes;
    otherwise_ = otherwise;
  }
  /// Runs on the sender's thread between the acceptance of an envelope and the sender's learning of it.
  void after_push(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    after_push_ = std::move(hook);
  }

  /// Runs on the sender's thread before an envelope is taken, or refused.
  void before_push(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    before_push_ = std::move(hook);
  }

  /// Loses what is under way, and takes no more.
  void cut() {
    const std::lock_guard lock(mutex_);
    cut_ = true;
    queue_.clear();
    held_.clear();
  }
  void restore() {
    const std::lock_guard lock(mutex_);
    cut_ = false;
  }
  /// On return nothing is delivered any more.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      queue_.clear();
    }
    bell_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  using Frame = std::vector<std::uint8_t>;

  void take(Frame frame) {
    wire::Bytes rest = frame;
    switch (decide_ ? decide_(wire::read_envelope(rest)) : Fate::pass) {
      case Fate::twice:
        queue_.push_back(frame);
        [[fallthrough]];
      case Fate::pass:
        queue_.push_back(std::move(frame));
        break;
      case Fate::hold:
        held_.push_back(std::move(frame));
        break;
      case Fate::drop:
        break;
    }
  }
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      bell_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (stopped_) return;
      const Frame frame = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      wire::Bytes rest = frame;
      deliver_(wire::read_envelope(rest));
      lock.lock();
    }
  }

  const Deliver deliver_;
  mutable std::mutex mutex_;
  std::condition_variable bell_;
  std::deque<Frame> queue_;
  std::vector<Frame> held_;
  Decide decide_;
  std::function<void()> before_push_, after_push_;
  host::Sent refusal_ = host::Sent::kYes;
  std::size_t largest_ = ~std::size_t{0};
  host::Sent otherwise_ = host::Sent::kTooLarge;
  bool cut_ = false;
  bool stopped_ = false;
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace busbar::testing
