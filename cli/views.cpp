#include "views.hpp"

#include "rows.hpp"

namespace busbar::cli {

namespace {

std::string shown(const Json& row, const char* member) { return printable(text_of(row, member)); }

/// A number, or what stands in its place.
std::string number(const Json& row, const char* member) {
  const auto found = row.find(member);
  return found == row.end() ? "?" : printable(found->dump());
}

/// ` since …`, where it is known.
std::string since(const Json& row) {
  const std::string text = shown(row, "since");
  return text.empty() ? text : " since " + text;
}

std::string with_reason(const std::string& line, const Json& row, const std::string& otherwise = {}) {
  const std::string reason = shown(row, "reason");
  const std::string& why = reason.empty() ? otherwise : reason;
  return why.empty() ? line : line + " (" + why + ")";
}

std::string line_of(const Json& row, const Palette& palette) {
  const std::string kind = text_of(row, "kind");
  const std::string node = palette(Colour::bold, shown(row, "node"));
  const std::string peer = palette(Colour::bold, shown(row, "peer"));
  if (kind == "no_answer") return with_reason(node + " " + palette(Colour::red, "did not answer"), row);
  if (kind == "not_seen") {
    return with_reason(node + " " + palette(Colour::red, "does not see") + " " + peer + since(row), row,
                       "it has not met it, as far as it remembers");
  }
  if (kind == "lost") return with_reason(node + " " + palette(Colour::red, "has lost") + " " + peer + since(row), row);
  if (kind == "behind") {
    return node + " " + palette(Colour::yellow, "is behind") + ": it has version " + number(row, "version") + " of " +
           peer + "'s record, the newest is " + number(row, "newest") + since(row);
  }
  if (kind == "other_incarnation") {
    return node + " " + palette(Colour::yellow, "knows an earlier start") + " of " + peer + ": incarnation " +
           number(row, "incarnation") + ", the latest is " + number(row, "newest");
  }
  return with_reason(node + " sees " + peer + " as " + palette(Colour::yellow, printable(kind)) + since(row), row);
}

}  // namespace

bool agree(const Json& document) {
  const auto found = document.is_object() ? document.find("agree") : document.end();
  return found != document.end() && found->is_boolean() && found->get<bool>();
}

std::string views_text(const Json& document, const Palette& palette) {
  const std::size_t nodes = rows_in(document, "views").size();
  if (agree(document)) {
    return palette(Colour::green, nodes == 1 ? "the only node" : "all " + std::to_string(nodes) + " nodes") +
           (nodes == 1 ? " sees no other\n" : " see the same\n");
  }
  std::string out = nodes == 1 ? "one node, which should not be the only one:\n"
                               : std::to_string(nodes) + " nodes, which do not see the same:\n";
  for (const Json& row : rows_in(document, "differences")) out += "  " + line_of(row, palette) + "\n";
  return out;
}

}  // namespace busbar::cli
