#include "log/levels.hpp"

#include <algorithm>
#include <set>

namespace busbar::host {

namespace {

std::map<std::string, LogLevel, std::less<>> rules_of(const LogSettings& settings) {
  auto rules = settings.levels;
  rules.insert_or_assign(std::string(), settings.level);
  return rules;
}

bool belongs_to(std::string_view name, std::string_view part) {
  return name.starts_with(part) && (name.size() == part.size() || name[part.size()] == '.');
}

}  // namespace

LogLevels::LogLevels(const LogSettings& configured) : configured_(rules_of(configured)) {}

std::shared_ptr<const LogChannel> LogLevels::channel(std::string_view name) {
  const MutexLock lock(mutex_);
  if (const auto found = channels_.find(name); found != channels_.end()) {
    if (auto channel = found->second.lock()) return channel;
  }
  std::erase_if(channels_, [](const auto& row) { return row.second.expired(); });
  auto channel = std::make_shared<LogChannel>(name);
  channel->level = static_cast<int>(decide(name).level);
  channels_.insert_or_assign(channel->name, channel);
  return channel;
}

void LogLevels::configure(const LogSettings& configured) {
  auto rules = rules_of(configured);
  const MutexLock lock(mutex_);
  configured_.swap(rules);
  apply();
}

void LogLevels::set(std::string_view part, LogLevel level) {
  const MutexLock lock(mutex_);
  set_.insert_or_assign(std::string(part), level);
  apply();
}

void LogLevels::take_back(std::string_view part) {
  const MutexLock lock(mutex_);
  if (part.empty()) {
    set_.clear();
  } else if (const auto found = set_.find(part); found != set_.end()) {
    set_.erase(found);
  }
  apply();
}

// By the longest part that is named; of one that is named twice, what was set while the host runs counts.
LogLevels::Row LogLevels::decide(std::string_view name) const {
  for (std::string_view part = name;;) {
    if (const auto found = set_.find(part); found != set_.end()) return {std::string(name), found->second, true};
    if (const auto found = configured_.find(part); found != configured_.end()) {
      return {std::string(name), found->second, false};
    }
    const std::size_t dot = part.rfind('.');
    part = dot == std::string_view::npos ? std::string_view() : part.substr(0, dot);
  }
}

void LogLevels::apply() {
  for (const auto& [name, known] : channels_) {
    if (const auto channel = known.lock()) {
      channel->level.store(static_cast<int>(decide(name).level), std::memory_order_relaxed);
    }
  }
}

std::vector<LogLevels::Row> LogLevels::rows() const {
  const MutexLock lock(mutex_);
  std::set<std::string> parts = {""};
  for (const auto& [name, channel] : channels_) {
    if (!channel.expired()) parts.insert(name);
  }
  for (const Rules* rules : {&configured_, &set_}) {
    for (const auto& [part, level] : *rules) parts.insert(part);
  }
  std::vector<Row> rows;
  for (const std::string& part : parts) rows.push_back(decide(part));
  return rows;
}

bool LogLevels::has(std::string_view part) const {
  const MutexLock lock(mutex_);
  return std::any_of(channels_.begin(), channels_.end(),
                     [&](const auto& row) { return !row.second.expired() && belongs_to(row.first, part); });
}

}  // namespace busbar::host
