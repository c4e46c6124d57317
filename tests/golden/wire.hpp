// What travels, as bytes and as what they mean: for golden files, which keep what this version says for later ones.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::golden {

using Octets = std::vector<std::uint8_t>;
using nlohmann::json;

/// A message of one of the three protocols: `plane` is "call", "registry", "admin_request" or "admin_answer".
struct Example {
  std::string plane;
  std::string what;  ///< for people
  Octets bytes;
};

/// One of each kind that there is, and of each with everything in it that can be.
std::vector<Example> call_examples();
std::vector<Example> registry_examples();
std::vector<Example> admin_examples();

/// What this version takes the bytes to mean. Errors: std::exception, for what it cannot read.
json meaning_of(std::string_view plane, std::span<const std::uint8_t> bytes);
/// What this version writes, to say the same.
Octets written_again(std::string_view plane, std::span<const std::uint8_t> bytes);

}  // namespace busbar::golden
