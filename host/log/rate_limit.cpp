#include "log/rate_limit.hpp"

#include <utility>

namespace busbar::host {

RateLimit::RateLimit(Clock::duration interval, std::size_t max_keys) : interval_(interval), max_keys_(max_keys) {}

RateLimit::Verdict RateLimit::ask(std::string_view key, Clock::time_point now) {
  const MutexLock lock(mutex_);
  Entry& entry = entry_of(key, now);
  if (entry.used && now - entry.last < interval_) {
    ++entry.suppressed;
    return {false, 0};
  }
  entry.used = true;
  entry.last = now;
  return {true, std::exchange(entry.suppressed, 0)};
}

RateLimit::Entry& RateLimit::entry_of(std::string_view key, Clock::time_point now) {
  if (const auto found = entries_.find(key); found != entries_.end()) return found->second;
  if (entries_.size() >= max_keys_) forget_idle(now);
  return entries_.size() < max_keys_ ? entries_[std::string(key)] : others_;
}

void RateLimit::forget_idle(Clock::time_point now) {
  // Once an interval: a flood of new keys must not walk the whole table for each of them.
  if (now < next_sweep_) return;
  next_sweep_ = now + interval_;
  for (auto item = entries_.begin(); item != entries_.end();) {
    if (now - item->second.last < interval_) {
      ++item;
    } else {
      others_.suppressed += item->second.suppressed;
      item = entries_.erase(item);
    }
  }
}

}  // namespace busbar::host
