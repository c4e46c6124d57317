#include "similar.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "rows.hpp"

namespace busbar::cli {

std::size_t distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: one to write, and those of the two characters before.
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::optional<std::string> similar_service(const std::string& name, const Ask& ask) {
  const std::size_t most = std::max<std::size_t>(1, name.size() / 3);
  std::optional<std::string> nearest;
  std::size_t nearest_distance = most + 1;
  for (const Json& row : rows_of(ask, wire::admin_verb::kServices, "services")) {
    std::string known = text_of(row, "name");
    if (known == name) return std::nullopt;
    if (known.empty() || known.size() > name.size() + most || known.size() + most < name.size()) continue;
    const std::size_t found = distance(name, known);
    if (found >= nearest_distance) continue;
    nearest_distance = found;
    nearest = std::move(known);
  }
  return nearest;
}

}  // namespace busbar::cli
