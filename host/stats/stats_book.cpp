#include "stats/stats_book.hpp"

#include <utility>

namespace busbar::host {

std::shared_ptr<CallStats> StatsBook::of(Key key) {
  const MutexLock lock(mutex_);
  if (books_.size() >= tidied_at_) {
    std::erase_if(books_, [](const auto& entry) { return entry.second.expired(); });
    tidied_at_ = 2 * books_.size() + 64;
  }
  std::weak_ptr<CallStats>& known = books_[std::move(key)];
  if (auto stats = known.lock()) return stats;
  auto stats = std::make_shared<CallStats>();
  known = stats;
  return stats;
}

std::size_t StatsBook::size() const {
  const MutexLock lock(mutex_);
  return books_.size();
}

std::vector<StatsBook::Row> StatsBook::rows() const {
  std::vector<Row> rows;
  const MutexLock lock(mutex_);
  for (const auto& [key, known] : books_) {
    if (auto stats = known.lock()) rows.push_back({key, std::move(stats)});
  }
  return rows;
}

}  // namespace busbar::host
