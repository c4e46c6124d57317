// The registry of a node: what is registered here, published as a table that lookups read without waiting.
#pragma once

#include <busbar/registry/read_section.hpp>
#include <busbar/registry/service_table.hpp>
#include <busbar/thread_safety.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::registry {

/// A service that another router holds already.
struct Conflict {
  std::string service;
  std::string held_by;  // the router
};

/// Which of the registered services a listing shows (C-R7).
enum class Listing { public_, private_, all };

/// What lookups see, and how old it is (C-G5).
struct TableFacts {
  std::uint64_t version = 0;  // counts publications
  std::size_t services = 0;
  std::size_t nodes = 0;            // other nodes that are known, routable or not
  std::chrono::milliseconds age{};  // since the last publication
};

/// Threads: every function may be called from any thread. Lookups never wait, also not for a registration under way.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// Registers all services of a router in one step, in place of those that it had: lookups see the old ones or the
  /// new ones, never a mixture, and the caller's next lookup sees the new ones (C-G5). On return no lookup uses the
  /// old ones any more. A conflict changes nothing. Registering the same again is no conflict (C-G3).
  std::optional<Conflict> register_router(const std::string& router,
                                          std::vector<std::shared_ptr<LocalProvider>> services);

  /// Takes a router's services away. On return no lookup uses them any more. Nothing happens for an unknown one.
  void withdraw_router(const std::string& router);

  /// Takes over what another node's record says, in place of what was known of that node; its services are found from
  /// the moment at which `node` is routable and this, or `refresh`, has been called. On return no lookup uses the old.
  void put_node(std::shared_ptr<RemoteNode> node, std::vector<RemoteService> services);
  /// Takes a node away, if it is this very one. On return no lookup uses it any more.
  void remove_node(const std::shared_ptr<RemoteNode>& node);
  /// Puts another way to reach a node in the place of `before`, with the same services. On return no lookup uses the
  /// old one. False, and nothing happens: it is not that very one that is known.
  bool replace_node(const std::shared_ptr<RemoteNode>& before, std::shared_ptr<RemoteNode> node);
  /// Publishes anew, because a node has become routable or is no longer.
  void refresh();
  /// The node of that name, routable or not, or null.
  std::shared_ptr<RemoteNode> find_node(std::string_view name) const;

  /// Has `tell` called after each change of the local services, on the thread that made it, with nothing held. Must be
  /// short and not throw. One at a time: replaces the one before; an empty function ends it, and on return none is
  /// running.
  void on_local_change(std::function<void()> tell);
  /// The public services of this node, as its record lists them.
  std::vector<RemoteService> local_record() const;
  /// From now on the record lists nothing, so that other nodes call no more; lookups here find everything as before.
  void announce_nothing();

  /// Calls `use` with the entry of `service`, or null; the entry is valid until `use` returns, which must be short and
  /// must not wait, look up or register.
  template <class Use>
  decltype(auto) lookup(std::string_view service, Use&& use) const {
    const ReadSection section;
    return use(table_.load(std::memory_order_acquire)->find(service));
  }

  /// The same with who provides it here, or null.
  template <class Use>
  decltype(auto) lookup_local(std::string_view service, Use&& use) const {
    const ReadSection section;
    return use(table_.load(std::memory_order_acquire)->find_local(service));
  }

  /// The registered services, in the order of their names.
  std::vector<std::shared_ptr<LocalProvider>> list(Listing which) const;

  /// Every service that this node knows, with its providers, in the order of their names: a copy.
  std::vector<ServiceEntry> known_services() const;

  TableFacts facts() const;

  /// Waits until `condition`, which may look up, holds. It is asked anew after each publication, with nothing held.
  /// False: it did not hold at `until`.
  template <class Condition>
  bool wait_until(std::chrono::steady_clock::time_point until, Condition&& condition) const {
    for (;;) {
      const std::uint64_t seen = facts().version;
      if (condition()) return true;
      if (!wait_for_publication_after(seen, until)) return false;
    }
  }

 private:
  using Services = std::vector<std::shared_ptr<LocalProvider>>;
  using Table = std::unique_ptr<const ServiceTable>;
  struct Node {
    std::shared_ptr<RemoteNode> node;
    std::shared_ptr<const std::vector<RemoteService>> services;
  };
  struct LocalListener;

  /// Returns the table before, which no lookup uses any more: to be destroyed without the lock, because what it holds
  /// the last reference to may do anything at its end.
  [[nodiscard]] Table publish() BUSBAR_REQUIRES(mutex_);
  std::vector<ServiceEntry> entries() const BUSBAR_REQUIRES(mutex_);
  void tell_local_change();
  bool wait_for_publication_after(std::uint64_t seen, std::chrono::steady_clock::time_point until) const;

  std::atomic<const ServiceTable*> table_;  // what lookups read; owned by owned_table_

  mutable Mutex mutex_;  // for writers, and for readers that want more than a lookup
  std::map<std::string, Services> routers_ BUSBAR_GUARDED_BY(mutex_);
  std::map<std::string, Node, std::less<>> nodes_ BUSBAR_GUARDED_BY(mutex_);
  std::shared_ptr<LocalListener> listener_ BUSBAR_GUARDED_BY(mutex_);
  bool announces_ BUSBAR_GUARDED_BY(mutex_) = true;
  Table owned_table_ BUSBAR_GUARDED_BY(mutex_);
  mutable std::condition_variable_any published_;
  std::uint64_t version_ BUSBAR_GUARDED_BY(mutex_) = 0;
  std::chrono::steady_clock::time_point published_at_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::registry
