#include "transport/connection_table.hpp"

namespace busbar::host {

std::shared_ptr<Connection> ConnectionTable::disconnected(int descriptor) {
  closed_.insert(descriptor);
  const auto found = by_descriptor_.find(descriptor);
  if (found == by_descriptor_.end()) return nullptr;
  auto connection = std::move(found->second);
  by_descriptor_.erase(found);
  return connection;
}

std::shared_ptr<Connection> ConnectionTable::find(std::string_view routing_id) const {
  const auto found = by_id_.find(routing_id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::shared_ptr<Connection> ConnectionTable::add(const std::shared_ptr<Connection>& connection) {
  std::shared_ptr<Connection> before;
  by_id_.emplace(connection->routing_id(), connection);
  if (connection->descriptor() < 0) return before;
  try {
    auto& holder = by_descriptor_[connection->descriptor()];
    before = std::exchange(holder, connection);
  } catch (...) {
    by_id_.erase(connection->routing_id());
    throw;
  }
  if (before != nullptr) by_id_.erase(before->routing_id());
  return before;
}

bool ConnectionTable::remove(const std::shared_ptr<Connection>& connection) {
  const auto found = by_id_.find(connection->routing_id());
  if (found == by_id_.end() || found->second != connection) return false;
  by_id_.erase(found);
  const auto holder = by_descriptor_.find(connection->descriptor());
  if (holder != by_descriptor_.end() && holder->second == connection) by_descriptor_.erase(holder);
  return true;
}

std::vector<std::shared_ptr<Connection>> ConnectionTable::of_node(std::string_view name,
                                                                  std::uint64_t incarnation) const {
  std::vector<std::shared_ptr<Connection>> found;
  for (const auto& [id, connection] : by_id_) {
    const bool is_its = connection->role() == wire::Role::node && connection->name() == name;
    if (is_its && connection->incarnation() == incarnation) found.push_back(connection);
  }
  return found;
}

std::vector<std::shared_ptr<Connection>> ConnectionTable::all() const {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(by_id_.size());
  for (const auto& [id, connection] : by_id_) all.push_back(connection);
  return all;
}

std::vector<std::shared_ptr<Connection>> ConnectionTable::take_all() {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(by_id_.size());
  for (auto& [id, connection] : by_id_) all.push_back(std::move(connection));
  by_id_.clear();
  by_descriptor_.clear();
  return all;
}

}  // namespace busbar::host
