// A configuration file as it is written: which keys it sets, to what, and where.
#pragma once

#include "config/keys.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace busbar::host {

struct FilePosition {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  auto operator<=>(const FilePosition&) const = default;
};

struct FileSetting {
  const Key* key;
  RawValue value;
  FilePosition at; /* of the value */
};

struct FileFault {
  FilePosition at; /* line 0: the file as a whole */
  std::string text;
};

struct FileContent {
  std::vector<FileSetting> settings;
  std::map<std::string, nlohmann::json> plugin_tables;
  std::map<std::string, LogLevel, std::less<>> log_levels;
  std::vector<FileFault> faults;
};

/// Reads the file. What is wrong with it (missing, no TOML, unknown keys) is in `faults`; the values are not yet
/// checked.
FileContent read_config_file(const std::filesystem::path& file);

/// The same for a file's text.
FileContent parse_config(std::string_view text);

}  // namespace busbar::host
