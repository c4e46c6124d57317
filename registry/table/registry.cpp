#include "busbar/registry/registry.hpp"

#include <algorithm>

namespace busbar::registry {

Registry::Registry() : owned_table_(std::make_unique<ServiceTable>(std::vector<ServiceEntry>{})) {
  table_.store(owned_table_.get(), std::memory_order_release);
  published_at_ = std::chrono::steady_clock::now();
}

Registry::~Registry() = default;

std::optional<Conflict> Registry::register_router(const std::string& router,
                                                  std::vector<std::shared_ptr<LocalProvider>> services) {
  const MutexLock lock(mutex_);
  for (const auto& [other, held] : routers_) {
    if (other == router) continue;
    for (const auto& service : held) {
      const auto same = [&](const auto& wanted) { return wanted->service() == service->service(); };
      if (std::any_of(services.begin(), services.end(), same)) return Conflict{service->service(), other};
    }
  }
  routers_[router] = std::move(services);
  publish();
  return std::nullopt;
}

void Registry::withdraw_router(const std::string& router) {
  const MutexLock lock(mutex_);
  if (routers_.erase(router) != 0) publish();
}

void Registry::publish() {
  std::vector<ServiceEntry> entries;
  for (const auto& [router, services] : routers_) {
    for (const auto& service : services) entries.push_back({service->service(), service});
  }
  auto next = std::make_unique<const ServiceTable>(std::move(entries));
  table_.store(next.get(), std::memory_order_release);
  owned_table_.swap(next);
  ++version_;
  published_at_ = std::chrono::steady_clock::now();
  published_.notify_all();
  wait_for_readers();  // then the old table goes, and with it the last hold on what was withdrawn
}

std::vector<std::shared_ptr<LocalProvider>> Registry::list(Listing which) const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<LocalProvider>> out;
  for (const auto& entry : owned_table_->entries()) {
    const bool is_public = entry.local->visibility() == Visibility::public_;
    if (which == Listing::all || is_public == (which == Listing::public_)) out.push_back(entry.local);
  }
  return out;
}

std::vector<ServiceEntry> Registry::entries() const {
  const MutexLock lock(mutex_);
  return owned_table_->entries();
}

bool Registry::wait_for_publication_after(std::uint64_t seen, std::chrono::steady_clock::time_point until) const {
  const MutexLock lock(mutex_);
  while (version_ == seen) {
    if (published_.wait_until(mutex_, until) == std::cv_status::timeout) return version_ != seen;
  }
  return true;
}

TableFacts Registry::facts() const {
  const MutexLock lock(mutex_);
  const auto age = std::chrono::steady_clock::now() - published_at_;
  return {version_, owned_table_->entries().size(), std::chrono::duration_cast<std::chrono::milliseconds>(age)};
}

}  // namespace busbar::registry
