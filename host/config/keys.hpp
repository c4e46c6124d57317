// The table of everything that can be configured. The file, the environment, the command line, their error messages and
// the listing of the effective configuration all read it, so that a key is added in one place.
#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace busbar::host {

/// The member of a Config that a key sets. Its type decides how values are written.
using Target =
    std::variant<std::string& (*)(Config&), std::vector<std::string>& (*)(Config&), std::filesystem::path& (*)(Config&),
                 bool& (*)(Config&), unsigned& (*)(Config&), std::size_t& (*)(Config&),
                 std::chrono::milliseconds& (*)(Config&), LogLevel& (*)(Config&), LogFormat& (*)(Config&)>;

/// What a text, or each text of a list, must be.
struct TextRule {
  bool (*fits)(std::string_view text);
  std::string (*expected)();
};

struct Key {
  std::string_view section;
  std::string_view name;
  Target target;
  std::string_view description;
  /// For numbers (of milliseconds, of bytes): what is accepted.
  std::uint64_t smallest = 0;
  std::uint64_t largest = 0;
  /// The default in words, where it depends on the machine or the user; empty where `Config{}` has it.
  std::string_view default_in_words = {};
  const TextRule* rule = nullptr;  ///< for texts and lists of them; for a path that need not be one
};

/// A value as it was found. `Word` comes from where everything is text: the environment and the command line; a list
/// is separated by commas there.
struct Word {
  std::string text;
};
struct OtherValue {
  std::string kind; /* "an array", … */
};
using Texts = std::vector<std::string>;
using RawValue = std::variant<Word, std::string, Texts, std::int64_t, bool, OtherValue>;

std::span<const Key> all_keys();
const Key* find_key(std::string_view section, std::string_view name);
bool is_section(std::string_view name);

std::string full_name(const Key& key);            /* pool.max_threads */
std::string environment_variable(const Key& key); /* BUSBAR_POOL__MAX_THREADS */

/// What its values are, in words: "a whole number from 1 to 10000".
std::string expected_of(const Key& key);

/// Sets the key's member. Errors: what was found and what was expected, in words; then nothing was set.
std::optional<std::string> assign(const Key& key, const RawValue& value, Config& config);

/// The key's value as the file would write it, as JSON.
nlohmann::ordered_json value_of(const Key& key, const Config& config);

}  // namespace busbar::host
