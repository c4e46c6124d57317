// CURVE keys as ZeroMQ has them (ZMTP 3.1, RFC 26): Curve25519, written as 40 characters of Z85.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace busbar::keys {

inline constexpr std::size_t kKeyText = 40;  ///< characters

/// What a key's owner may do. Each may call services.
enum class Role {
  node,     ///< is a member: announces services, and forwards calls
  client,   ///< calls services
  deployer  ///< a client that may also change plugins
};
/// "node", "client", "deployer".
std::string_view name_of(Role role) noexcept;
std::optional<Role> role_of(std::string_view name) noexcept;

/// Who holds a key: by what the file that lists it says, never by what somebody claims.
struct Identity {
  std::string name;
  Role role = Role::client;
  bool operator==(const Identity&) const = default;
};

class PublicKey {
 public:
  /// Nothing: `text` is no key.
  static std::optional<PublicKey> from(std::string_view text);
  const std::string& text() const noexcept { return text_; }
  auto operator<=>(const PublicKey&) const = default;

 private:
  explicit PublicKey(std::string_view text) : text_(text) {}
  std::string text_;
};

/// Its text is wiped from memory with it.
class SecretKey {
 public:
  static std::optional<SecretKey> from(std::string_view text);
  ~SecretKey();
  SecretKey(const SecretKey&) = default;
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(const SecretKey&) = delete;

  const std::string& text() const noexcept { return text_; }
  /// The public key that belongs to it.
  PublicKey public_key() const;

 private:
  explicit SecretKey(std::string_view text) : text_(text) {}
  std::string text_;
};

/// A new one, from the system's randomness.
SecretKey make_secret_key();

}  // namespace busbar::keys
