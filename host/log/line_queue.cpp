#include "log/line_queue.hpp"

#include <new>
#include <utility>

namespace busbar::host {

// One after the other: as a chain they would end inside of each other.
LineQueue::~LineQueue() {
  for (auto line = take(); line != nullptr; line = std::move(line->next)) {
  }
}

namespace {

LineQueue::Line* make(std::string_view text) noexcept try {
  auto line = std::make_unique<LineQueue::Line>();
  line->text.reserve(text.size() + 1);
  line->text.append(text) += '\n';
  return line.release();
} catch (const std::bad_alloc&) {
  return nullptr;
}

}  // namespace

LineQueue::Put LineQueue::put(std::string_view text) noexcept {
  const std::size_t room = room_for(text.size() + 1);
  if (bytes_.fetch_add(room, std::memory_order_relaxed) + room > most_bytes_) {
    bytes_.fetch_sub(room, std::memory_order_relaxed);
    return lose();
  }
  Line* line = make(text);
  if (line == nullptr) {
    bytes_.fetch_sub(room, std::memory_order_relaxed);
    return lose();
  }
  if (untold_.load(std::memory_order_relaxed) != 0) [[unlikely]]
    line->lost_before = take_lost();
  put_.fetch_add(1, std::memory_order_acq_rel);
  Line* before = newest_.load(std::memory_order_relaxed);
  do {
    line->next.release();
    line->next.reset(before);
  } while (!newest_.compare_exchange_weak(before, line, std::memory_order_acq_rel, std::memory_order_relaxed));
  return before == nullptr ? Put::first : Put::more;
}

LineQueue::Put LineQueue::lose() noexcept {
  lost_.fetch_add(1, std::memory_order_relaxed);
  untold_.fetch_add(1, std::memory_order_relaxed);
  return Put::lost;
}

std::unique_ptr<LineQueue::Line> LineQueue::take() noexcept {
  std::unique_ptr<Line> newer(newest_.exchange(nullptr, std::memory_order_acquire));
  std::unique_ptr<Line> older;
  while (newer != nullptr) {
    std::unique_ptr<Line> before = std::move(newer->next);
    newer->next = std::move(older);
    older = std::move(newer);
    newer = std::move(before);
  }
  return older;
}

void LineQueue::done(const Line& line) noexcept {
  bytes_.fetch_sub(room_for(line.text.size()), std::memory_order_relaxed);
  done_.fetch_add(1, std::memory_order_release);
}

}  // namespace busbar::host
