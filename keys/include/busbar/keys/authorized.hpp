// Who is let in: the public keys of a directory, as they were when it was read.
#pragma once

#include <busbar/keys/key.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::keys {

/// One file NAME.pub a key; several keys may have one name, as while it is changed for another. Closed: what cannot be
/// read lets nobody in, and a key that two files give to different owners is nobody's.
/// Threads: any; it does not change.
class Authorized {
 public:
  Authorized() = default;
  /// Nobody but its owner may be able to write to the directory. Errors: KeyError where it cannot be read at all.
  static Authorized read(const std::filesystem::path& directory);

  /// Whose key it is, or null: nobody's who is let in.
  const Identity* find(const PublicKey& key) const;
  bool is_node(const PublicKey& key) const {
    const Identity* owner = find(key);
    return owner != nullptr && owner->role == Role::node;
  }
  /// The keys that a node of that name may have; of all nodes, where it is empty. In the order of their files.
  std::vector<PublicKey> of_nodes(std::string_view name = {}) const;
  std::size_t size() const noexcept { return keys_.size(); }
  /// Files that could not be used, each in words for an operator.
  const std::vector<std::string>& faults() const noexcept { return faults_; }

  bool operator==(const Authorized&) const = default;

 private:
  void add(const std::filesystem::path& file);

  struct Entry {
    Identity owner;
    std::string file;
    bool disputed = false;
    bool operator==(const Entry&) const = default;
  };
  std::map<PublicKey, Entry> keys_;
  std::vector<std::string> faults_;
};

}  // namespace busbar::keys
