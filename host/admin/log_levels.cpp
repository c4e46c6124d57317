#include "admin/log_levels.hpp"

#include <vector>

#include "config/nearest.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

// Who named a part that there is not may have meant one of these.
std::vector<std::string> parts_of(const LogLevels& levels) {
  std::vector<std::string> parts(kLogParts.begin(), kLogParts.end());
  for (const auto& row : levels.rows()) {
    if (!row.part.empty()) parts.push_back(row.part);
  }
  return parts;
}

bool is_named(const LogLevels& levels, const std::string& part) {
  for (const auto& row : levels.rows()) {
    if (row.part == part) return true;
  }
  return false;
}

}  // namespace

nlohmann::json log_levels_document(const LogLevels& levels) {
  nlohmann::json document;
  nlohmann::json parts = nlohmann::json::array();
  for (const auto& row : levels.rows()) {
    if (row.part.empty()) {
      document = {{"level", to_text(row.level)}, {"changed", row.changed}};
    } else {
      parts.push_back({{"part", row.part}, {"level", to_text(row.level)}, {"changed", row.changed}});
    }
  }
  document["parts"] = std::move(parts);
  return document;
}

std::string set_log_level(LogLevels& levels, const std::string& part, const std::string& level) {
  if (!part.empty() && !levels.has(part) && !is_named(levels, part)) {
    return "found the part " + in_quotes(part) +
           ", expected one that logs, such as \"host\", \"host.dispatch\" or \"plugin.NAME\" of a plugin that is "
           "loaded; "
           "nearest: " +
           in_quotes(nearest(part, parts_of(levels)));
  }
  if (const auto named = log_level_of(level)) {
    levels.set(part, *named);
  } else {
    levels.take_back(part);
  }
  return {};
}

}  // namespace busbar::host
