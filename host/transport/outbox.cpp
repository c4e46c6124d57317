#include "transport/outbox.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace busbar::host {

namespace {

// What a large message's bytes lie in.
struct Block {
  LargeEnvelope::Held held;
  std::unique_ptr<std::uint8_t[]> bytes;
  std::size_t size;
};

// Called by ZeroMQ, on any of its threads, when it has done with the bytes.
void free_block(void*, void* hint) noexcept {
  const std::unique_ptr<Block> block(static_cast<Block*>(hint));
  block->held->fetch_sub(block->size, std::memory_order_relaxed);
}

// Buffers that a burst has made large are given back.
constexpr std::size_t kKeptBytes = 256 * 1024;

}  // namespace

LargeEnvelope::LargeEnvelope(std::span<const std::uint8_t> envelope, const Held& held) {
  auto block = std::make_unique<Block>(
      Block{held, std::make_unique_for_overwrite<std::uint8_t[]>(envelope.size()), envelope.size()});
  std::memcpy(block->bytes.get(), envelope.data(), envelope.size());
  if (::zmq_msg_init_data(&message_, block->bytes.get(), block->size, free_block, block.get()) != 0) {
    throw std::bad_alloc();
  }
  block.release();
}

LargeEnvelope::~LargeEnvelope() { ::zmq_msg_close(&message_); }

LargeEnvelope::LargeEnvelope(LargeEnvelope&& other) noexcept {
  ::zmq_msg_init(&message_);
  ::zmq_msg_move(&message_, &other.message_);
}

void Outbox::append(std::span<const std::uint8_t> envelope) {
  sizes_.reserve(sizes_.size() + 1 > sizes_.capacity() ? std::max<std::size_t>(64, sizes_.capacity() * 2) : 0);
  small_.insert(small_.end(), envelope.begin(), envelope.end());
  sizes_.push_back(static_cast<std::uint32_t>(envelope.size()));
}

void Outbox::append(LargeEnvelope&& envelope) {
  sizes_.push_back(kLarge);
  try {
    large_.push_back(std::move(envelope));
  } catch (...) {
    sizes_.pop_back();
    throw;
  }
}

bool Outbox::send_some(void* socket, std::size_t max_message) noexcept {
  int sent = -1;
  if (sizes_[first_] == kLarge) {
    do {
      sent = ::zmq_msg_send(large_.front().message(), socket, ZMQ_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return false;
    large_.pop_front();
    ++first_;
  } else {
    const std::size_t limit = std::min(kBundleBytes, max_message);
    std::size_t size = sizes_[first_];
    std::size_t last = first_ + 1;
    for (; last < sizes_.size() && last - first_ < kBundle && sizes_[last] != kLarge; ++last) {
      if (size + sizes_[last] > limit) break;
      size += sizes_[last];
    }
    do {
      sent = ::zmq_send(socket, small_.data() + sent_, size, ZMQ_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return false;
    sent_ += size;
    first_ = last;
  }
  if (empty()) clear();
  return true;
}

void Outbox::clear() noexcept {
  if (small_.capacity() > kKeptBytes) {
    std::vector<std::uint8_t>().swap(small_);
    std::vector<std::uint32_t>().swap(sizes_);
  }
  small_.clear();
  sizes_.clear();
  large_.clear();
  sent_ = first_ = 0;
}

void Outbox::swap(Outbox& other) noexcept {
  small_.swap(other.small_);
  sizes_.swap(other.sizes_);
  large_.swap(other.large_);
  std::swap(sent_, other.sent_);
  std::swap(first_, other.first_);
}

}  // namespace busbar::host
