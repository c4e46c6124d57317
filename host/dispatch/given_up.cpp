#include "dispatch/given_up.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace busbar::host {

void GivenUp::add(std::uint64_t attempt, std::string_view service, const CallIds& ids) noexcept try {
  Entry entry{attempt, Text(service), Text(ids.message_id), Text(ids.correlation_id), Text(ids.traceparent)};
  const MutexLock lock(mutex_);
  if (ring_.size() < kEntries) {
    ring_.push_back(std::move(entry));
    return;
  }
  ring_[next_] = std::move(entry);
  next_ = (next_ + 1) % kEntries;
} catch (const std::bad_alloc&) {
  // Its answer will be taken for one that nobody asked for.
}

GivenUp::Entry GivenUp::take(std::uint64_t attempt) noexcept {
  const MutexLock lock(mutex_);
  const auto found =
      std::find_if(ring_.begin(), ring_.end(), [&](const Entry& entry) { return entry.attempt == attempt; });
  return found == ring_.end() ? Entry{} : std::exchange(*found, Entry{});
}

bool GivenUp::answered(std::uint64_t attempt, std::string_view node) noexcept {
  if (attempt == 0) return false;
  const Entry entry = take(attempt);
  if (entry.attempt == 0) return false;
  try {
    if (const auto line = lines_.ask(node)) {
      log_.info(
          "an answer came too late and was dropped",
          {{"node", node}, {"service", entry.service.view()}, {"attempt", attempt}, {"suppressed", line.suppressed}},
          {entry.message_id.view(), entry.correlation_id.view(), entry.traceparent.view()});
    }
  } catch (const std::bad_alloc&) {
    // It is counted.
  }
  return true;
}

}  // namespace busbar::host
