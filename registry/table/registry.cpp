#include "busbar/registry/registry.hpp"

#include <algorithm>
#include <unordered_map>

namespace busbar::registry {

/// Whom to tell of changes, and how many threads are doing so.
struct Registry::LocalListener {
  explicit LocalListener(std::function<void()> function) : tell(std::move(function)) {}
  const std::function<void()> tell;
  std::atomic<int> running{0};
};

Registry::Registry() : owned_table_(std::make_unique<ServiceTable>(std::vector<ServiceEntry>{})) {
  table_.store(owned_table_.get(), std::memory_order_release);
  published_at_ = std::chrono::steady_clock::now();
}

Registry::~Registry() = default;

std::optional<Conflict> Registry::register_router(const std::string& router,
                                                  std::vector<std::shared_ptr<LocalProvider>> services) {
  Table old;
  {
    const MutexLock lock(mutex_);
    for (const auto& [other, held] : routers_) {
      if (other == router) continue;
      for (const auto& service : held) {
        const auto same = [&](const auto& wanted) { return wanted->service() == service->service(); };
        if (std::any_of(services.begin(), services.end(), same)) return Conflict{service->service(), other};
      }
    }
    routers_[router].swap(services);
    old = publish();
  }
  tell_local_change();
  return std::nullopt;
}

void Registry::withdraw_router(const std::string& router) {
  Table old;
  {
    const MutexLock lock(mutex_);
    if (routers_.erase(router) == 0) return;
    old = publish();
  }
  tell_local_change();
}

void Registry::put_node(std::shared_ptr<RemoteNode> node, std::vector<RemoteService> services) {
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  const auto same_name = [](const auto& a, const auto& b) { return a.name == b.name; };
  std::stable_sort(services.begin(), services.end(), by_name);
  services.erase(std::unique(services.begin(), services.end(), same_name), services.end());
  Node known{std::move(node), std::make_shared<const std::vector<RemoteService>>(std::move(services))};
  Table old;
  const MutexLock lock(mutex_);
  std::swap(nodes_[known.node->name()], known);
  old = publish();
}

void Registry::remove_node(const std::shared_ptr<RemoteNode>& node) {
  Table old;
  const MutexLock lock(mutex_);
  const auto known = nodes_.find(node->name());
  if (known == nodes_.end() || known->second.node != node) return;
  nodes_.erase(known);
  old = publish();
}

bool Registry::replace_node(const std::shared_ptr<RemoteNode>& before, std::shared_ptr<RemoteNode> node) {
  Table old;
  const MutexLock lock(mutex_);
  const auto known = nodes_.find(before->name());
  if (known == nodes_.end() || known->second.node != before) return false;
  known->second.node.swap(node);
  old = publish();
  return true;
}

void Registry::refresh() {
  Table old;
  const MutexLock lock(mutex_);
  old = publish();
}

std::shared_ptr<RemoteNode> Registry::find_node(std::string_view name) const {
  const MutexLock lock(mutex_);
  const auto known = nodes_.find(name);
  return known == nodes_.end() ? nullptr : known->second.node;
}

std::vector<ServiceEntry> Registry::entries() const {
  std::vector<ServiceEntry> out;
  std::unordered_map<std::string_view, std::size_t> places;  // names are kept alive by what provides them
  const auto entry = [&](const std::string& name) -> ServiceEntry& {
    const auto [place, is_new] = places.try_emplace(name, out.size());
    if (is_new) out.push_back({name, nullptr});
    return out[place->second];
  };
  for (const auto& [router, services] : routers_) {
    for (const auto& service : services) entry(service->service()).local = service;
  }
  for (const auto& [name, known] : nodes_) {
    if (!known.node->routable()) continue;
    for (const auto& service : *known.services) {
      entry(service.name).remote.push_back({known.node, known.services, &service});
    }
  }
  return out;
}

Registry::Table Registry::publish() {
  Table next = std::make_unique<const ServiceTable>(entries());
  table_.store(next.get(), std::memory_order_release);
  owned_table_.swap(next);
  ++version_;
  published_at_ = std::chrono::steady_clock::now();
  published_.notify_all();
  wait_for_readers();
  return next;  // by now the one before
}

void Registry::on_local_change(std::function<void()> tell) {
  auto other = tell ? std::make_shared<LocalListener>(std::move(tell)) : nullptr;
  {
    const MutexLock lock(mutex_);
    listener_.swap(other);
  }
  if (other == nullptr) return;
  for (int running = other->running; running != 0; running = other->running) other->running.wait(running);
}

void Registry::tell_local_change() {
  std::shared_ptr<LocalListener> listener;
  {
    const MutexLock lock(mutex_);
    if (listener_ == nullptr) return;
    listener = listener_;
    ++listener->running;  // with the lock held: who replaces it sees this
  }
  listener->tell();
  --listener->running;
  listener->running.notify_all();
}

std::vector<RemoteService> Registry::local_record() const {
  const MutexLock lock(mutex_);
  std::vector<RemoteService> out;
  if (!announces_) return out;
  for (const auto& [name, local, remote] : owned_table_->entries()) {
    if (local == nullptr || local->visibility() != Visibility::public_) continue;
    const ServiceFacts& facts = local->declared();
    out.push_back({name, local->router(), facts.is_inline, facts.idempotent, facts.dry_run_safe, facts.timeout_ms,
                   facts.strategy, facts.sticky_field});
  }
  return out;
}

void Registry::announce_nothing() {
  {
    const MutexLock lock(mutex_);
    announces_ = false;
  }
  tell_local_change();
}

std::vector<std::shared_ptr<LocalProvider>> Registry::list(Listing which) const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<LocalProvider>> out;
  for (const auto& entry : owned_table_->entries()) {
    if (entry.local == nullptr) continue;
    const bool is_public = entry.local->visibility() == Visibility::public_;
    if (which == Listing::all || is_public == (which == Listing::public_)) out.push_back(entry.local);
  }
  return out;
}

std::vector<ServiceEntry> Registry::known_services() const {
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
  return {version_, owned_table_->entries().size(), nodes_.size(),
          std::chrono::duration_cast<std::chrono::milliseconds>(age)};
}

}  // namespace busbar::registry
