// The connections of a ROUTER after their handshake, by routing id and by descriptor.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "transport/connection.hpp"

namespace busbar::host {

/// A disconnect is told by the descriptor alone, and the kernel gives the same one to the next connection. What keeps
/// them apart: ZeroMQ tells of a disconnect before it closes the descriptor, and of an accept before it reads from it;
/// so whoever has received a hello, and then everything that the monitor had to tell, knows whether it is still there.
/// Threads: one at a time.
class ConnectionTable {
 public:
  void accepted(int descriptor) { closed_.erase(descriptor); }
  /// Returns whose connection it was, or null. It is still found by its routing id, until `remove`: what came over it
  /// may not have been read yet.
  std::shared_ptr<Connection> disconnected(int descriptor);
  /// Whether a connection may have this descriptor now: it was not told to have ended, or it is not known (-1).
  bool is_open(int descriptor) const { return descriptor < 0 || closed_.count(descriptor) == 0; }

  std::shared_ptr<Connection> find(std::string_view routing_id) const;
  /// Returns the one that had its descriptor before, or null. `is_open` must hold. Errors: std::bad_alloc, then nothing
  /// has changed.
  std::shared_ptr<Connection> add(const std::shared_ptr<Connection>& connection);
  /// Returns whether it was in the table.
  bool remove(const std::shared_ptr<Connection>& connection);
  /// Those that this incarnation of a node has made. Errors: std::bad_alloc.
  std::vector<std::shared_ptr<Connection>> of_node(std::string_view name, std::uint64_t incarnation) const;
  /// Errors: std::bad_alloc.
  std::vector<std::shared_ptr<Connection>> all() const;
  std::vector<std::shared_ptr<Connection>> take_all();
  std::size_t size() const noexcept { return by_id_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  std::unordered_map<std::string, std::shared_ptr<Connection>, Hash, std::equal_to<>> by_id_;
  std::unordered_map<int, std::shared_ptr<Connection>> by_descriptor_;
  std::unordered_set<int> closed_;  // not: open. What came before the ROUTER was watched was never told of
};

}  // namespace busbar::host
