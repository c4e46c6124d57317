#include "config/toml_file.hpp"

#include "config/nearest.hpp"
#include "log/text.hpp"

#include <busbar/names.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <set>
#include <sstream>

namespace busbar::host {

namespace {

constexpr std::size_t kLargestFile = 1024 * 1024;
/// toml++ puts no bound on the parts of a dotted key, and a tree that is a hundred thousand tables deep overflows the
/// stack when it is destroyed.
constexpr int kMostKeyParts = 32;
/// That of payloads, which is what a plugin's table becomes.
constexpr int kDeepestTable = 64;

FilePosition position(const toml::source_region& source) { return {source.begin.line, source.begin.column}; }

/// Reads the file or says why not. Not with a stream, which could not say.
std::optional<std::string> read_file(const std::filesystem::path& file, std::string& text) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error_text(errno);
  struct stat status {};
  std::optional<std::string> fault;
  if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) fault = "found a directory, expected a file";
  std::array<char, 16'384> buffer{};
  while (!fault) {
    const ssize_t size = ::read(fd, buffer.data(), buffer.size());
    if (size == 0) break;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      fault = error_text(errno);
    } else {
      text.append(buffer.data(), static_cast<std::size_t>(size));
      if (text.size() > kLargestFile) fault = "found more than 1MiB, expected a configuration of at most that";
    }
  }
  ::close(fd);
  return fault;
}

/// Goes over TOML just closely enough to tell keys from strings and comments, and finds the first key of too many
/// parts.
class KeyDepth {
 public:
  explicit KeyDepth(std::string_view text) : text_(text) {}

  std::optional<FilePosition> find_too_deep() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      if (c == '.') {
        if (++parts_ > kMostKeyParts) return FilePosition{line_, static_cast<std::uint32_t>(at_ - line_start_ + 1)};
      } else if (std::string_view("=[]{},\n").find(c) != std::string_view::npos) {
        parts_ = 1;
      }
      step();
    }
    return std::nullopt;
  }

 private:
  void step() {
    if (text_[at_++] == '\n') {
      ++line_;
      line_start_ = at_;
    }
  }
  void skip_string(char quote) {
    const bool multi_line = text_.substr(at_, 3) == std::string(3, quote);
    const std::size_t quotes = multi_line ? 3 : 1;
    at_ += quotes;
    while (at_ < text_.size() && text_.substr(at_, quotes) != std::string(quotes, quote)) {
      if (text_[at_] == '\n' && !multi_line) return;  // no string at all; the parser will say so
      if (text_[at_] == '\\' && quote == '"' && at_ + 1 < text_.size()) step();
      step();
    }
    at_ = std::min(at_ + quotes, text_.size());
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  std::uint32_t line_ = 1;
  int parts_ = 1;
};

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

std::optional<Texts> texts_of(const toml::array& array) {
  Texts texts;
  for (const toml::node& each : array) {
    if (!each.is_string()) return std::nullopt;
    texts.push_back(each.as_string()->get());
  }
  return texts;
}

RawValue raw_value(const toml::node& node) {
  if (const auto* array = node.as_array()) {
    if (auto texts = texts_of(*array)) return std::move(*texts);
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  return OtherValue{std::string(kind_of(node))};
}

/// A plugin's own table as JSON.
class PluginTable {
 public:
  explicit PluginTable(std::vector<FileFault>& faults) : faults_(faults) {}

  nlohmann::json convert(const toml::node& node, int depth = 1) {
    if (const auto* table = node.as_table()) return from_table(*table, depth);
    if (const auto* array = node.as_array()) return from_array(*array, depth);
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return integer->get();
    if (const auto* flag = node.as_boolean()) return flag->get();
    if (const auto* number = node.as_floating_point()) {
      if (std::isfinite(number->get())) return number->get();
      return refuse(node, "found a number that is infinite or none, expected a finite one");
    }
    std::ostringstream date;  // toml++ writes dates and times as RFC 3339 text
    node.visit([&](const auto& value) {
      if constexpr (toml::is_chronological<decltype(value)>) date << value.get();
    });
    return date.str();
  }

 private:
  nlohmann::json from_table(const toml::table& table, int depth) {
    if (depth > kDeepestTable) return too_deep(table);
    nlohmann::json out = nlohmann::json::object();
    for (const auto& [key, value] : table) out[std::string(key.str())] = convert(value, depth + 1);
    return out;
  }
  nlohmann::json from_array(const toml::array& array, int depth) {
    if (depth > kDeepestTable) return too_deep(array);
    nlohmann::json out = nlohmann::json::array();
    for (const toml::node& value : array) out.push_back(convert(value, depth + 1));
    return out;
  }
  nlohmann::json too_deep(const toml::node& node) {
    return refuse(node, "found tables and arrays nested deeper than " + std::to_string(kDeepestTable) +
                            ", which no plugin can be given");
  }
  nlohmann::json refuse(const toml::node& node, std::string text) {
    faults_.push_back({position(node.source()), std::move(text)});
    return nullptr;
  }

  std::vector<FileFault>& faults_;
};

/// Sorts the parsed file into settings, plugin tables and faults.
class Reader {
 public:
  FileContent read(const toml::table& root) {
    for (const auto& [key, value] : root) {
      if (key.str() == "plugin") {
        read_plugins(key, value);
      } else if (is_section(key.str())) {
        read_section(key, value);
      } else {
        refuse_unknown(key, value);
      }
    }
    return std::move(content_);
  }

 private:
  void fault(FilePosition at, std::string text) { content_.faults.push_back({at, std::move(text)}); }

  void read_section(const toml::key& section, const toml::node& node) {
    const auto* table = node.as_table();
    if (!table) {
      return fault(position(section.source()),
                   "found " + std::string(kind_of(node)) + ", expected the table [" + std::string(section.str()) + "]");
    }
    for (const auto& [name, value] : *table) {
      if (section.str() == "log" && name.str() == "levels") {
        read_log_levels(name, value, "");
      } else if (const Key* key = find_key(section.str(), name.str())) {
        content_.settings.push_back({key, raw_value(value), position(value.source())});
      } else {
        fault(position(name.source()),
              "unknown key " + in_quotes(name.str()) + " in [" + std::string(section.str()) +
                  "]; nearest known key: " + in_quotes(nearest_key(section.str(), name.str())));
      }
    }
  }

  /// The table [log.levels], where a dot in a part's name may also be one of TOML's own.
  void read_log_levels(const toml::key& name, const toml::node& node, const std::string& part) {
    if (const auto* table = node.as_table()) {
      for (const auto& [key, value] : *table) {
        read_log_levels(key, value, (part.empty() ? "" : part + ".") + std::string(key.str()));
      }
      return;
    }
    if (part.empty()) {
      return fault(position(name.source()),
                   "found " + std::string(kind_of(node)) + ", expected the table [log.levels]");
    }
    if (!is_log_part(part)) {
      std::vector<std::string> known(kLogParts.begin(), kLogParts.end());
      known.emplace_back("plugin.NAME");
      return fault(position(name.source()),
                   "unknown part " + in_quotes(part) +
                       " in [log.levels]; nearest known part: " + in_quotes(nearest(part, known)));
    }
    const auto* text = node.as_string();
    const auto level = text != nullptr ? log_level_of(text->get()) : std::nullopt;
    if (!level) {
      const std::vector<std::string> known(kLogLevelNames.begin(), kLogLevelNames.end());
      return fault(position(node.source()),
                   "level of " + in_quotes(part) + " in [log.levels]: found " +
                       (text != nullptr ? "text " + in_quotes(text->get()) : std::string(kind_of(node))) +
                       ", expected one of \"trace\", \"debug\", \"info\", \"warn\", \"error\"" +
                       (text != nullptr ? "; nearest: " + in_quotes(nearest(text->get(), known)) : ""));
    }
    content_.log_levels[part] = *level;
  }

  /// Whether a host has such a part, or may come to have it with a plugin.
  static bool is_log_part(std::string_view part) {
    constexpr std::string_view kPlugin = "plugin.";
    return std::find(kLogParts.begin(), kLogParts.end(), part) != kLogParts.end() || part == "plugin" ||
           (part.starts_with(kPlugin) && is_plugin_name(part.substr(kPlugin.size())));
  }

  void read_plugins(const toml::key& section, const toml::node& node) {
    const auto* plugins = node.as_table();
    if (!plugins) {
      return fault(position(section.source()),
                   "found " + std::string(kind_of(node)) + ", expected tables [plugin.NAME]");
    }
    for (const auto& [name, value] : *plugins) {
      if (!value.is_table()) {
        fault(position(name.source()), "found " + std::string(kind_of(value)) + " for " + in_quotes(name.str()) +
                                           " in [plugin], expected a table [plugin.NAME]; the keys of all plugins "
                                           "are in [plugins]");
      } else if (!is_plugin_name(name.str())) {
        fault(position(name.source()), "found [plugin." + in_quotes(name.str()) +
                                           "], expected a plugin's name: [A-Za-z0-9][A-Za-z0-9._-]{0,62}");
      } else {
        content_.plugin_tables[std::string(name.str())] = PluginTable(content_.faults).convert(value);
      }
    }
  }

  void refuse_unknown(const toml::key& key, const toml::node& node) {
    if (node.is_table()) {
      std::set<std::string> sections = {"plugin.NAME"};
      for (const Key& known : all_keys()) sections.emplace(known.section);
      const std::string meant = nearest(key.str(), {sections.begin(), sections.end()});
      return fault(position(key.source()),
                   "unknown section [" + printable(key.str()) + "]; nearest known section: [" + meant + "]");
    }
    fault(position(key.source()),
          "unknown key " + in_quotes(key.str()) +
              " outside of any section; nearest known key: " + in_quotes(nearest_key("", key.str())));
  }

  static std::string printable(std::string_view text) {
    const std::string quoted = in_quotes(text);
    return is_plugin_name(text) ? std::string(text) : quoted;
  }

  /// One of the same section by its short name, unless the very word is known elsewhere.
  static std::string nearest_key(std::string_view section, std::string_view name) {
    std::vector<std::string> names;
    for (const Key& key : all_keys()) {
      if (key.name == name) return full_name(key);
      if (key.section == section) names.emplace_back(key.name);
    }
    if (!names.empty()) return nearest(name, names);
    for (const Key& key : all_keys()) names.emplace_back(key.name);
    const std::string& meant = nearest(name, names);
    return full_name(all_keys()[static_cast<std::size_t>(&meant - names.data())]);
  }

  FileContent content_;
};

FileContent only_fault(FilePosition at, std::string text) {
  FileContent content;
  content.faults.push_back({at, std::move(text)});
  return content;
}

}  // namespace

FileContent parse_config(std::string_view text) {
  if (const auto deep = KeyDepth(text).find_too_deep()) {
    return only_fault(*deep, "found a key of more than " + std::to_string(kMostKeyParts) + " parts");
  }
  try {
    FileContent content = Reader().read(toml::parse(text));
    std::stable_sort(content.faults.begin(), content.faults.end(),
                     [](const FileFault& a, const FileFault& b) { return a.at < b.at; });
    return content;
  } catch (const toml::parse_error& error) {
    // "Error while parsing …", with the offending text in it
    std::string reason = "found no TOML: e";
    append_printable(reason, error.description().substr(1));
    return only_fault(position(error.source()), std::move(reason));
  }
}

FileContent read_config_file(const std::filesystem::path& file) {
  std::string text;
  if (auto fault = read_file(file, text)) return only_fault({}, std::move(*fault));
  return parse_config(text);
}

}  // namespace busbar::host
