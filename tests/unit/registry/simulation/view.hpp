// What a node's driver has been told of the others, with what must hold of it at any time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "membership/types.hpp"

namespace busbar::registry::testing {

class View {
 public:
  explicit View(std::string owner = {}) : owner_(std::move(owner)) {}

  /// Each returns what is wrong with it, in words; nothing, if it may be.
  std::string joined(const NodeRecord& record);
  std::string changed(const NodeRecord& record);
  std::string left(const NodeLeft& node);

  /// For people.
  static std::string start_of(const NodeRecord& record);

  auto begin() const { return records_.begin(); }
  auto end() const { return records_.end(); }
  std::size_t size() const { return records_.size(); }
  const NodeRecord& at(const std::string& name) const { return records_.at(name); }
  bool contains(const std::string& name) const { return records_.contains(name); }

 private:
  std::string is_older(const NodeRecord& record);

  std::string owner_;
  std::map<std::string, NodeRecord> records_;
  std::map<std::string, std::uint64_t> highest_;  // incarnation that was known of a name, also of who is gone
};

}  // namespace busbar::registry::testing
