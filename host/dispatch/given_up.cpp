#include "dispatch/given_up.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace busbar::host {

void GivenUp::add(std::uint64_t attempt, std::string_view service, const CallIds& ids) noexcept try {
  Entry entry{Text(service), Text(ids.message_id), Text(ids.correlation_id), Text(ids.traceparent)};
  const MutexLock lock(mutex_);
  if (entries_.size() < kEntries) {
    if (attempts_.empty()) attempts_.reserve(kEntries);
    entries_.push_back(std::move(entry));
    attempts_.push_back(attempt);
    return;
  }
  attempts_[next_] = attempt;
  entries_[next_] = std::move(entry);
  next_ = (next_ + 1) % kEntries;
} catch (const std::bad_alloc&) {
  // Its answer will be taken for one that nobody asked for.
}

std::optional<GivenUp::Entry> GivenUp::take(std::uint64_t attempt) noexcept {
  const MutexLock lock(mutex_);
  const auto found = std::find(attempts_.begin(), attempts_.end(), attempt);
  if (found == attempts_.end()) return std::nullopt;
  *found = 0;
  return std::move(entries_[static_cast<std::size_t>(found - attempts_.begin())]);
}

bool GivenUp::answered(std::uint64_t attempt, std::string_view node) noexcept {
  if (attempt == 0) return false;
  const auto entry = take(attempt);
  if (!entry) return false;
  try {
    if (const auto line = lines_.ask(node)) {
      log_.info(
          "an answer came too late and was dropped",
          {{"node", node}, {"service", entry->service.view()}, {"attempt", attempt}, {"suppressed", line.suppressed}},
          {entry->message_id.view(), entry->correlation_id.view(), entry->traceparent.view()});
    }
  } catch (const std::bad_alloc&) {
    // It is counted.
  }
  return true;
}

}  // namespace busbar::host
