// Any bytes as files with keys, parted by zero bytes: the first as a private one, all as the directory of those that
// are let in. Each is read whole, or refused in words; and nobody is let in but by a file that names them.
#include <busbar/keys/authorized.hpp>
#include <busbar/keys/key_file.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/key_folder.hpp"

namespace {

using namespace busbar::keys;

constexpr std::size_t kMostFiles = 4;

/// Files that only their owner may read or write, each written over the one before.
class Files {
 public:
  std::filesystem::path write(const std::string& name, std::string_view text) const {
    const std::filesystem::path file = folder_.path() / name;
    FILE* out = std::fopen(file.c_str(), "wb");
    if (out == nullptr) std::abort();
    std::fwrite(text.data(), 1, text.size(), out);
    std::fclose(out);
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return file;
  }
  void remove(const std::string& name) const { std::filesystem::remove(folder_.path() / name); }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  KeyFolder folder_;
};

template <class Read>
auto read(Read read_file, const std::filesystem::path& file) -> std::optional<decltype(read_file(file))> {
  try {
    return read_file(file);
  } catch (const KeyError&) {
    return std::nullopt;
  }
}

void check_private(const std::filesystem::path& file) {
  const auto own = read(read_private_file, file);
  if (own && PublicKey::from(own->key.text()) != own->secret.public_key()) std::abort();
}

/// As the only one of a key, or one of several that agree, a file lets its owner in.
void check_directory(const Files& files, std::string_view texts) {
  std::vector<std::string> names;
  std::vector<ListedKey> listed;
  while (!texts.empty() && names.size() < kMostFiles) {
    const std::string_view text = texts.substr(0, texts.find('\0'));
    texts.remove_prefix(std::min(text.size() + 1, texts.size()));
    names.push_back(std::to_string(names.size()) + kPublicSuffix);
    if (auto key = read(read_public_file, files.write(names.back(), text))) listed.push_back(*std::move(key));
  }
  const Authorized authorized = Authorized::read(files.path());
  for (const ListedKey& one : listed) {
    const bool agreed = std::all_of(listed.begin(), listed.end(), [&](const ListedKey& other) {
      return other.key != one.key || other.owner == one.owner;
    });
    const Identity* owner = authorized.find(one.key);
    if (agreed != (owner != nullptr) || (agreed && *owner != one.owner)) std::abort();
  }
  if (authorized.size() > listed.size() || authorized.faults().size() > names.size()) std::abort();
  for (const std::string& name : names) files.remove(name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Files files;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_private(files.write("own.key", text.substr(0, text.find('\0'))));
  check_directory(files, text);
  return 0;
}
