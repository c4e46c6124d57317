// What a node says about itself: its record. Each node is the only writer of its own (C-G2).
#pragma once

#include <busbar/strategy.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace busbar::registry {

/// What others need to know of a service in order to call it.
struct RemoteService {
  std::string name;
  std::string router;  ///< the plugin that offers it there
  bool is_inline = false;
  bool idempotent = false;
  bool dry_run_safe = false;
  std::uint32_t timeout_ms = 0;  ///< for callers that name none; 0: 5,000
  Strategy strategy = Strategy::standard;
  std::string sticky_field{};  ///< sticky: the field of the raw request whose value is the key

  bool operator==(const RemoteService&) const = default;
};

/// A node, as it was at one moment. Replaced whole, never merged; (incarnation, version) only grows.
struct NodeRecord {
  std::string name;
  std::uint64_t incarnation = 0;        ///< of this start of the node, never lower than one used before (C-G9)
  std::uint64_t version = 0;            ///< of this record, counted from 1 within the incarnation
  std::string call_address;             ///< where its ROUTER for calls is reached, such as tcp://127.0.0.1:4711
  std::string registry_address;         ///< where its ROUTER for the registry is reached
  std::vector<RemoteService> services;  ///< its public services, in the order of their names

  bool operator==(const NodeRecord&) const = default;
  /// Whether this one replaces `other`, a record of the same name (C-G2).
  bool is_newer_than(const NodeRecord& other) const noexcept {
    return incarnation != other.incarnation ? incarnation > other.incarnation : version > other.version;
  }
};

}  // namespace busbar::registry
