#include "busbar/keys/key.hpp"

#include <string.h>
#include <zmq.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace busbar::keys {

namespace {

constexpr std::array<std::string_view, 3> kRoles = {"node", "client", "deployer"};

using Text = std::array<char, kKeyText + 1>;

// libzmq tells of characters that are none of Z85's on standard error, so they are looked for first; and of five of
// them a value beyond 32 bits is refused by itself alone.
bool is_z85(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  if (text.size() != kKeyText || text.find_first_not_of(kAlphabet) != std::string_view::npos) return false;
  for (std::size_t i = 0; i < text.size(); i += 5) {
    std::uint64_t value = 0;
    for (const char c : text.substr(i, 5)) value = value * 85 + kAlphabet.find(c);
    if (value > UINT32_MAX) return false;
  }
  return true;
}

}  // namespace

std::string_view name_of(Role role) noexcept { return kRoles.at(static_cast<std::size_t>(role)); }

std::optional<Role> role_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kRoles.size(); ++i) {
    if (kRoles[i] == name) return static_cast<Role>(i);
  }
  return std::nullopt;
}

std::optional<PublicKey> PublicKey::from(std::string_view text) {
  if (!is_z85(text)) return std::nullopt;
  return PublicKey(text);
}

std::optional<SecretKey> SecretKey::from(std::string_view text) {
  if (!is_z85(text)) return std::nullopt;
  return SecretKey(text);
}

SecretKey::SecretKey(SecretKey&& other) noexcept : text_(std::exchange(other.text_, {})) {}

SecretKey::~SecretKey() { ::explicit_bzero(text_.data(), text_.size()); }

PublicKey SecretKey::public_key() const {
  Text text{};
  if (::zmq_curve_public(text.data(), text_.c_str()) != 0) throw std::runtime_error("this libzmq has no CURVE");
  return PublicKey::from({text.data(), kKeyText}).value();
}

SecretKey make_secret_key() {
  Text ours{};
  Text secret{};
  if (::zmq_curve_keypair(ours.data(), secret.data()) != 0) throw std::runtime_error("this libzmq has no CURVE");
  auto key = SecretKey::from({secret.data(), kKeyText}).value();
  ::explicit_bzero(secret.data(), secret.size());
  return key;
}

}  // namespace busbar::keys
