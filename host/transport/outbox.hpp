// Envelopes that wait to be sent, in their order.
#pragma once

#include <zmq.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace busbar::host {

// A ZeroMQ message of its own for an envelope that is too large to be copied once more. Its bytes, which whoever makes
// it has added to `held`, are taken off when ZeroMQ has written them or the connection is gone. Ownership: owns the
// message; the counter is shared with it.
class LargeEnvelope {
 public:
  // From here on an envelope is sent as a message of its own.
  static constexpr std::size_t kFrom = 64 * 1024;
  using Held = std::shared_ptr<std::atomic<std::size_t>>;

  // Errors: std::bad_alloc.
  LargeEnvelope(std::span<const std::uint8_t> envelope, const Held& held);
  ~LargeEnvelope();
  LargeEnvelope(LargeEnvelope&& other) noexcept;
  LargeEnvelope& operator=(LargeEnvelope&&) = delete;

  zmq_msg_t* message() noexcept { return &message_; }
  std::size_t size() const noexcept { return ::zmq_msg_size(&message_); }

 private:
  zmq_msg_t message_;
};

// What waits to be sent to one connection. Small envelopes lie back to back, so that a run of them is a bundle as it
// is. Threads: one at a time.
class Outbox {
 public:
  // A bundle has at most so many envelopes and, where one is not larger by itself, bytes: libzmq writes 8 KiB at a time
  // anyway, and the other side answers them all in one go.
  static constexpr std::size_t kBundle = 64;
  static constexpr std::size_t kBundleBytes = 32 * 1024;

  bool empty() const noexcept { return sizes_.size() == first_; }
  // Of the envelopes that are not large: the others are counted for as long as they exist, here or in ZeroMQ.
  std::size_t small_bytes() const noexcept { return small_.size() - sent_; }

  // Errors: std::bad_alloc, then nothing has changed.
  void append(std::span<const std::uint8_t> envelope);
  void append(LargeEnvelope&& envelope);

  // Sends as one ZeroMQ message what goes into one of at most `max_message` bytes. Returns false where the socket takes
  // nothing now: then nothing has changed. Not to be called on an empty outbox.
  bool send_some(void* socket, std::size_t max_message) noexcept;

  void clear() noexcept;
  void swap(Outbox& other) noexcept;

 private:
  static constexpr std::uint32_t kLarge = 0;  // in sizes_: the next of large_

  std::vector<std::uint8_t> small_;
  std::vector<std::uint32_t> sizes_;
  std::deque<LargeEnvelope> large_;
  std::size_t sent_ = 0;   // of small_
  std::size_t first_ = 0;  // of sizes_
};

}  // namespace busbar::host
