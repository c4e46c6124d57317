#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace busbar::host {

/// Where a part of a library is mapped.
struct AddressRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  bool has(const void* address) const noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    return number >= begin && number < end;
  }
};

inline bool any_has(const std::vector<AddressRange>& ranges, const void* address) noexcept {
  return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& range) { return range.has(address); });
}

}  // namespace busbar::host
