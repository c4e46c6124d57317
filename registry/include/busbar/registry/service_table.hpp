// The table that lookups read: every service that this node knows, with its providers. Immutable once built.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/registry/record.hpp>

namespace busbar::registry {

enum class Visibility : std::uint8_t { public_, private_ };

/// What callers may know of a service before they call it.
struct ServiceFacts {
  bool is_inline = false;
  bool idempotent = false;
  bool dry_run_safe = false;
  std::uint32_t timeout_ms = 0;  ///< for callers that name none; 0: 5,000
  Strategy strategy = Strategy::standard;
  std::string sticky_field{};  ///< sticky: the field of the raw request whose value is the key
};

/// A service that this node itself provides. Whoever registers derives from it and keeps there what it needs to serve.
/// Ownership: shared by the tables that list it; destroyed with the last of them.
class LocalProvider {
 public:
  LocalProvider(std::string service, std::string router, Visibility visibility, ServiceFacts facts = {})
      : service_(std::move(service)), router_(std::move(router)), visibility_(visibility), facts_(std::move(facts)) {}
  virtual ~LocalProvider() = default;
  LocalProvider(const LocalProvider&) = delete;
  LocalProvider& operator=(const LocalProvider&) = delete;

  const std::string& service() const noexcept { return service_; }
  const std::string& router() const noexcept { return router_; }
  Visibility visibility() const noexcept { return visibility_; }
  /// As it was declared, and as other nodes are told.
  const ServiceFacts& declared() const noexcept { return facts_; }

 private:
  const std::string service_;
  const std::string router_;
  const Visibility visibility_;
  const ServiceFacts facts_;
};

/// Another node, for one incarnation of it. Whoever can reach it derives from it and keeps there what it needs to do
/// so. Ownership: shared by the tables that list its services and by the calls that go there. Threads: any.
class RemoteNode {
 public:
  RemoteNode(std::string name, std::uint64_t incarnation) : name_(std::move(name)), incarnation_(incarnation) {}
  virtual ~RemoteNode() = default;
  RemoteNode(const RemoteNode&) = delete;
  RemoteNode& operator=(const RemoteNode&) = delete;

  const std::string& name() const noexcept { return name_; }
  std::uint64_t incarnation() const noexcept { return incarnation_; }
  /// Whether calls can be sent there now. Services of a node that is not routable are in no table.
  bool routable() const noexcept { return routable_.load(std::memory_order_acquire); }
  /// Whether nothing was heard of it for a while, so that it may be lost soon: others are asked first.
  bool suspected() const noexcept { return suspected_.load(std::memory_order_relaxed); }
  /// By who watches it.
  void set_suspected(bool suspected) noexcept { suspected_.store(suspected, std::memory_order_relaxed); }

 protected:
  /// By who derives from it; `Registry::refresh` must follow.
  void set_routable(bool routable) noexcept { routable_.store(routable, std::memory_order_release); }

 private:
  const std::string name_;
  const std::uint64_t incarnation_;
  std::atomic<bool> routable_{false};
  std::atomic<bool> suspected_{false};
};

/// A node that provides a service, and what its record says of it.
struct RemoteProvider {
  std::shared_ptr<RemoteNode> node;
  std::shared_ptr<const std::vector<RemoteService>> services;  // of the node's record; keeps `service` alive
  const RemoteService* service = nullptr;
};

/// What is known of one service.
struct ServiceEntry {
  std::string name;
  std::shared_ptr<LocalProvider> local;  // null: not provided here
  std::vector<RemoteProvider> remote{};  // in the order of the nodes' names; each was routable when this was published
};

/// A hash table with open addressing whose slots hold the name itself and who provides it here, so that a lookup
/// touches one or two cache lines, and allocates and locks nothing.
class ServiceTable {
 public:
  explicit ServiceTable(std::vector<ServiceEntry> entries);

  /// The entry of `name`, or null. Ownership: the table's.
  const ServiceEntry* find(std::string_view name) const noexcept {
    const Slot* slot = slot_of(name);
    return slot == nullptr ? nullptr : slot->entry;
  }
  /// Its `local`, or null. Ownership: the table's.
  LocalProvider* find_local(std::string_view name) const noexcept {
    const Slot* slot = slot_of(name);
    return slot == nullptr ? nullptr : slot->local;
  }
  /// In the order of their names.
  const std::vector<ServiceEntry>& entries() const noexcept { return entries_; }

 private:
  static constexpr std::size_t kNameInSlot = 43;
  struct alignas(64) Slot {
    const ServiceEntry* entry = nullptr;
    LocalProvider* local = nullptr;  // the entry's: one place less to look at
    std::uint32_t hash = 0;
    std::uint8_t size = 0;
    char name[kNameInSlot] = {};  // the beginning of the name; all of it, for most
  };
  static_assert(sizeof(Slot) == 64);

  const Slot* slot_of(std::string_view name) const noexcept;

  std::vector<ServiceEntry> entries_;
  std::vector<Slot> slots_;  // a power of two, at most a quarter full: a second look costs more than the room
};

}  // namespace busbar::registry
