// Files that hold keys: TOML, with `name`, `role`, `public`, and in a private one `private`.
#pragma once

#include <busbar/keys/key.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace busbar::keys {

inline constexpr const char* kPrivateSuffix = ".key";
inline constexpr const char* kPublicSuffix = ".pub";

/// Something is wrong with a key's file. `what()` is complete: the file, what was found, what was expected, what to do.
/// It never quotes what a private file has in it.
class KeyError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct OwnKey {
  Identity owner;
  SecretKey secret;
  PublicKey key;
};
struct ListedKey {
  Identity owner;
  PublicKey key;
};

/// A private key. Nobody but its owner may be able to read the file, and it must belong to who runs this process, or
/// to root. Errors: KeyError.
OwnKey read_private_file(const std::filesystem::path& file);
/// A public one. Nobody but its owner may be able to write to the file. Errors: KeyError.
ListedKey read_public_file(const std::filesystem::path& file);

/// Writes a new pair as BASE.key (mode 0600) and BASE.pub. What is there already is never touched. Errors: KeyError;
/// then neither has been left there.
struct WrittenPair {
  std::filesystem::path private_file;
  std::filesystem::path public_file;
  PublicKey key;
};
WrittenPair write_pair(const std::filesystem::path& base, const Identity& owner);

}  // namespace busbar::keys
