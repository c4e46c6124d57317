// The table that lookups read: every service that this node knows, with its providers. Immutable once built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::registry {

enum class Visibility : std::uint8_t { public_, private_ };

/// A service that this node itself provides. Whoever registers derives from it and keeps there what it needs to serve.
/// Ownership: shared by the tables that list it; destroyed with the last of them.
class LocalProvider {
 public:
  LocalProvider(std::string service, std::string router, Visibility visibility)
      : service_(std::move(service)), router_(std::move(router)), visibility_(visibility) {}
  virtual ~LocalProvider() = default;
  LocalProvider(const LocalProvider&) = delete;
  LocalProvider& operator=(const LocalProvider&) = delete;

  const std::string& service() const noexcept { return service_; }
  const std::string& router() const noexcept { return router_; }
  Visibility visibility() const noexcept { return visibility_; }

 private:
  const std::string service_;
  const std::string router_;
  const Visibility visibility_;
};

/// What is known of one service.
struct ServiceEntry {
  std::string name;
  std::shared_ptr<LocalProvider> local;  // null: not provided here
};

/// A hash table with open addressing whose slots hold the name itself, so that a lookup touches one or two cache
/// lines, and allocates and locks nothing.
class ServiceTable {
 public:
  explicit ServiceTable(std::vector<ServiceEntry> entries);

  /// The entry of `name`, or null. Ownership: the table's.
  const ServiceEntry* find(std::string_view name) const noexcept;
  /// In the order of their names.
  const std::vector<ServiceEntry>& entries() const noexcept { return entries_; }

 private:
  static constexpr std::size_t kNameInSlot = 51;
  struct alignas(64) Slot {
    const ServiceEntry* entry = nullptr;
    std::uint32_t hash = 0;
    std::uint8_t size = 0;
    char name[kNameInSlot] = {};  // the beginning of the name; all of it, for most
  };
  static_assert(sizeof(Slot) == 64);

  std::vector<ServiceEntry> entries_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace busbar::registry
