// An observer that remembers what it was shown.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "events/events.hpp"

namespace busbar::testing {

class EventLog final : public host::Observer {
 public:
  struct Entry {
    host::EventKind kind;
    std::string service, message_id, correlation_id, node, plugin, origin, reason, code;
    Response::Kind response;
    host::Nanos duration;
    bool is_public;
  };

  void on_event(const host::Event& e) noexcept override {
    const std::lock_guard lock(mutex_);
    entries_.push_back({e.kind, std::string(e.service), std::string(e.message_id), std::string(e.correlation_id),
                        std::string(e.node), std::string(e.plugin), std::string(e.origin), std::string(e.reason),
                        std::string(e.code), e.response, e.duration(), e.is_public});
  }

  std::vector<Entry> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : entries()) out.emplace_back(host::name_of(entry.kind));
    return out;
  }
  std::size_t count(host::EventKind kind) const {
    const auto all = entries();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const auto& e) { return e.kind == kind; }));
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace busbar::testing
