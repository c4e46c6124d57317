// Who waits for a call, and keeps places at gates busy meanwhile (decision 0028).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace busbar::host {

class Call;
class Gate;
struct ChainLink;

/// The call that waits for another one, and above it those that wait for that call; null where none of them keeps a
/// place at a gate busy. Shared, because several calls may be waited for by the same.
using Chain = std::shared_ptr<const ChainLink>;

/// Where a call may have places: at the gate of its service and at that of its plugin.
constexpr std::size_t kPlaces = 2;

/// Constant once it is made. Ownership: the call, its gates: not owned; they are there as long as the call that is
/// waited for has not ended, and its caller has not given up.
struct ChainLink {
  Chain above;
  std::string service;
  std::string message_id;
  const Call* call = nullptr;                ///< null: one of another node
  std::array<const Gate*, kPlaces> gates{};  ///< where it had places when it began to wait; null: none
  std::string node;                          ///< of another node's: which, and as what it has sent the call
  std::uint64_t attempt = 0;
};

/// The first of them.
inline const ChainLink& top_of(const ChainLink& link) noexcept {
  const ChainLink* top = &link;
  while (top->above != nullptr) top = top->above.get();
  return *top;
}

}  // namespace busbar::host
