#include "busbar/registry/service_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace busbar::registry {

namespace {

// Eight bytes at a time, multiplied and folded: names are short, and the table is built by ourselves from names that
// plugins declare, so that nobody gains by making them collide.
std::uint32_t hash_of(std::string_view name) noexcept {
  constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15U;
  std::uint64_t hash = name.size() * kFactor;
  const char* p = name.data();
  std::size_t left = name.size();
  while (left >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 32;
    p += 8;
    left -= 8;
  }
  if (left != 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, left);
    hash = (hash ^ word) * kFactor;
    hash ^= hash >> 32;
  }
  return static_cast<std::uint32_t>(hash ^ (hash >> 16));
}

// memcmp without the call: names are short, and this is on the path of every call.
bool same(const char* a, const char* b, std::size_t size) noexcept {
  const auto differ = [&](std::size_t at) {
    std::uint64_t x, y;
    std::memcpy(&x, a + at, 8);
    std::memcpy(&y, b + at, 8);
    return x != y;
  };
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    if (differ(i)) return false;
  }
  return !differ(size - 8);
}

}  // namespace

ServiceTable::ServiceTable(std::vector<ServiceEntry> entries)
    : entries_(std::move(entries)), slots_(std::bit_ceil(4 * entries_.size() + 2)) {
  std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto& entry : entries_) {
    const std::uint32_t hash = hash_of(entry.name);
    std::size_t i = hash & (slots_.size() - 1);
    while (slots_[i].entry != nullptr) i = (i + 1) & (slots_.size() - 1);
    slots_[i].entry = &entry;
    slots_[i].local = entry.local.get();
    slots_[i].hash = hash;
    slots_[i].size = static_cast<std::uint8_t>(entry.name.size());
    std::memcpy(slots_[i].name, entry.name.data(), std::min(entry.name.size(), kNameInSlot));
  }
}

const ServiceTable::Slot* ServiceTable::slot_of(std::string_view name) const noexcept {
  if (name.size() > 255) return nullptr;
  const std::uint32_t hash = hash_of(name);
  for (std::size_t i = hash & (slots_.size() - 1); slots_[i].entry != nullptr; i = (i + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[i];
    if (slot.hash != hash || slot.size != name.size()) continue;
    const char* candidate = name.size() <= kNameInSlot ? slot.name : slot.entry->name.data();
    if (same(candidate, name.data(), name.size())) return &slot;
  }
  return nullptr;
}

}  // namespace busbar::registry
