#include "busbar/keys/authorized.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "busbar/keys/key_file.hpp"
#include "file_text.hpp"

namespace busbar::keys {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& directory, const std::string& found) {
  throw KeyError("could not read the authorized keys in " + shown(directory) + ": " + found);
}

void check(const fs::path& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) fail(directory, error_text(errno));
  if (!S_ISDIR(status.st_mode)) fail(directory, "expected a directory");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    fail(directory, "others than its owner may write to it, and let themselves in; chmod go-w, and look what is there");
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    fail(directory, "it belongs to user " + std::to_string(status.st_uid) + ", expected user " +
                        std::to_string(::geteuid()) + ", who runs this process, or root");
  }
}

}  // namespace

Authorized Authorized::read(const fs::path& directory) {
  check(directory);
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator at(directory, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const fs::path name = at->path().filename();
    if (name.extension() == kPublicSuffix && !name.native().starts_with('.')) files.push_back(at->path());
  }
  if (error) fail(directory, error.message());
  std::sort(files.begin(), files.end());
  Authorized keys;
  for (const fs::path& file : files) keys.add(file);
  std::erase_if(keys.keys_, [](const auto& entry) { return entry.second.disputed; });
  return keys;
}

void Authorized::add(const fs::path& file) {
  try {
    ListedKey listed = read_public_file(file);
    const auto [at, is_new] = keys_.try_emplace(listed.key, Entry{listed.owner, file.filename().native()});
    if (is_new || at->second.owner == listed.owner) return;
    at->second.disputed = true;
    faults_.push_back("passed over the key in " + shown(file) + ": " + shown(at->second.file) +
                      " has the same one for another owner or role; take one of them away");
  } catch (const KeyError& fault) {
    faults_.emplace_back(fault.what());
  }
}

const Identity* Authorized::find(const PublicKey& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : &found->second.owner;
}

std::vector<PublicKey> Authorized::of_nodes(std::string_view name) const {
  std::vector<std::pair<std::string_view, const PublicKey*>> found;
  for (const auto& [key, entry] : keys_) {
    if (entry.owner.role != Role::node || (!name.empty() && entry.owner.name != name)) continue;
    found.emplace_back(entry.file, &key);
  }
  std::sort(found.begin(), found.end());
  std::vector<PublicKey> keys;
  for (const auto& [file, key] : found) keys.push_back(*key);
  return keys;
}

}  // namespace busbar::keys
