#include <busbar/wire/schema_view.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "plugins/file/compare.hpp"

namespace busbar::host {

using nlohmann::json;
using wire::member_of;
using wire::SchemaKind;
using wire::view_of;
using SchemaView = wire::SchemaView<json>;

namespace {

// Far beyond any type; schemas that refer to themselves in rings of several lengths could go on for long.
constexpr unsigned kDeepest = 100;
constexpr std::size_t kMostCompared = 20'000;

/// How what is taken, or given, has changed; both at once is possible.
struct Direction {
  bool narrower = false;
  bool wider = false;
};

/// Whether all that is of kind `narrow` is of kind `wide` too.
bool holds(SchemaKind wide, SchemaKind narrow) {
  if (wide == narrow || wide == SchemaKind::anything) return true;
  if (wide == SchemaKind::number) return narrow == SchemaKind::integer;
  return wide == SchemaKind::text && (narrow == SchemaKind::time || narrow == SchemaKind::choice);
}

// The largest integers do not fit into one type with the smallest; as numbers they are near enough to be compared, and
// the texts say the rest.
Direction compare_bounds(const json& older, const json& newer, const char* least, const char* most) {
  constexpr double kNoBound = std::numeric_limits<double>::infinity();
  const auto bound = [](const json& node, const char* name, double absent) {
    const json& found = member_of(node, name);
    return found.is_number() ? found.get<double>() : absent;
  };
  const double old_least = bound(older, least, -kNoBound), new_least = bound(newer, least, -kNoBound);
  const double old_most = bound(older, most, kNoBound), new_most = bound(newer, most, kNoBound);
  return {new_least > old_least || new_most < old_most, new_least < old_least || new_most > old_most};
}

std::set<std::string> texts_in(const json& list) {
  std::set<std::string> out;
  if (!list.is_array()) return out;
  for (const json& element : list) {
    if (element.is_string()) out.insert(element.get<std::string>());
  }
  return out;
}

/// The alternatives of a variant by their names.
std::map<std::string, const json*> alternatives_of(const json& node) {
  std::map<std::string, const json*> out;
  for (const json& alternative : member_of(node, "oneOf")) {
    const json& properties = member_of(alternative, "properties");
    const json& name = member_of(member_of(properties, "type"), "const");
    if (name.is_string()) out.emplace(name.get<std::string>(), &member_of(properties, "value"));
  }
  return out;
}

/// The unit of a duration, which is its description.
std::optional<std::string> unit_of(const json& node) {
  constexpr std::array<std::string_view, 8> kUnits = {"nanoseconds", "microseconds", "milliseconds", "seconds",
                                                      "minutes",     "hours",        "days",         "weeks"};
  const json& found = member_of(node, "description");
  if (!found.is_string()) return std::nullopt;
  const auto& unit = found.get_ref<const std::string&>();
  const bool known = std::find(kUnits.begin(), kUnits.end(), unit) != kUnits.end() || unit.ends_with(" of a second");
  return known ? std::optional(unit) : std::nullopt;
}

class Comparison {
 public:
  Comparison(Side side, const json& older, const json& newer) : side_(side), old_root_(older), new_root_(newer) {}

  std::vector<Change> run() {
    compare(old_root_, new_root_, {}, false);
    return std::move(changes_);
  }

 private:
  /// `optionality_said`: that it may be missing now, or may not any more, has been told already.
  void compare(const json& older, const json& newer, const std::string& path, bool optionality_said) {
    const SchemaView before = view_of(older, old_root_);
    const SchemaView now = view_of(newer, new_root_);
    // A type within itself has been compared when it is met again.
    if (depth_ == kDeepest || compared_.size() == kMostCompared) return;
    if (!compared_.emplace(before.node, now.node).second) return;
    ++depth_;
    compare_views(older, newer, before, now, path, optionality_said);
    --depth_;
  }

  void compare_views(const json& older, const json& newer, const SchemaView& before, const SchemaView& now,
                     const std::string& path, bool optionality_said) {
    if (side_ == Side::request) compare_defaults(older, newer, path);
    if (before.kind != now.kind) return compare_kinds(before, now, path);
    if (before.nullable != now.nullable && !optionality_said && now.kind != SchemaKind::anything) {
      tell({before.nullable, now.nullable}, Weight::breaks, path, was_is(before, now));
    }
    compare_insides(before, now, path);
  }

  void compare_kinds(const SchemaView& before, const SchemaView& now, const std::string& path) {
    const bool first_value = side_ == Side::response && path.empty() && before.kind == SchemaKind::nothing;
    if (before.kind == SchemaKind::other || now.kind == SchemaKind::other) {
      return add(Weight::warns, path, was_is(before, now));
    }
    const bool wider = holds(now.kind, before.kind) && (now.nullable || !before.nullable);
    const bool narrower = (holds(before.kind, now.kind) && (before.nullable || !now.nullable)) || first_value;
    tell({!wider, !narrower}, Weight::breaks, path, was_is(before, now));
  }

  void compare_insides(const SchemaView& before, const SchemaView& now, const std::string& path) {
    const json& older = *before.node;
    const json& newer = *now.node;
    switch (now.kind) {
      case SchemaKind::integer:
      case SchemaKind::number:
        tell(compare_bounds(older, newer, "minimum", "maximum"), Weight::warns, path, was_is(before, now));
        return compare_units(older, newer, path);
      case SchemaKind::choice:
        return compare_names(texts_in(older["enum"]), texts_in(newer["enum"]), path);
      case SchemaKind::array:
        tell(compare_bounds(older, newer, "minItems", "maxItems"), Weight::breaks, path,
             "the number of its elements has changed");
        return compare(older["items"], newer["items"], path + "[]", false);
      case SchemaKind::tuple:
        return compare_tuples(older["prefixItems"], newer["prefixItems"], path, was_is(before, now));
      case SchemaKind::map:
        return compare(older["additionalProperties"], newer["additionalProperties"], path + ".*", false);
      case SchemaKind::record:
        return compare_records(older, newer, path);
      case SchemaKind::variant:
        return compare_variants(alternatives_of(older), alternatives_of(newer), path);
      case SchemaKind::other:
        if (older != newer) add(Weight::warns, path, "has changed in a way that is not understood");
        return;
      default:
        return;
    }
  }

  void compare_defaults(const json& older, const json& newer, const std::string& path) {
    if (!older.is_object() || !newer.is_object() || !older.contains("default") || !newer.contains("default")) return;
    const json& before = older["default"];
    const json& now = newer["default"];
    if (before != now) {
      add(Weight::warns, path, "its default was " + printable(before.dump(), 80) + ", is " + printable(now.dump(), 80));
    }
  }

  void compare_units(const json& older, const json& newer, const std::string& path) {
    const auto before = unit_of(older), now = unit_of(newer);
    if (before && now && before != now) add(Weight::breaks, path, "counted " + *before + ", counts " + *now);
  }

  void compare_names(const std::set<std::string>& before, const std::set<std::string>& now, const std::string& path) {
    for (const std::string& name : before) {
      if (!now.contains(name)) tell({true, false}, Weight::warns, path, "\"" + printable(name, 60) + "\" is gone");
    }
    for (const std::string& name : now) {
      if (!before.contains(name)) tell({false, true}, Weight::warns, path, "\"" + printable(name, 60) + "\" is new");
    }
  }

  void compare_tuples(const json& before, const json& now, const std::string& path, const std::string& difference) {
    if (before.size() != now.size()) return add(Weight::breaks, path, difference);
    for (std::size_t i = 0; i < now.size(); ++i) {
      compare(before[i], now[i], path + "[" + std::to_string(i) + "]", false);
    }
  }

  void compare_variants(const std::map<std::string, const json*>& before, const std::map<std::string, const json*>& now,
                        const std::string& path) {
    std::set<std::string> names_before, names_now;
    for (const auto& [name, value] : before) names_before.insert(name);
    for (const auto& [name, value] : now) names_now.insert(name);
    compare_names(names_before, names_now, path);
    for (const auto& [name, value] : before) {
      if (const auto same = now.find(name); same != now.end()) {
        compare(*value, *same->second, path + "<" + printable(name, 60) + ">", false);
      }
    }
  }

  void compare_records(const json& older, const json& newer, const std::string& path) {
    const json& before = older["properties"];
    const json& now = newer["properties"];
    const std::set<std::string> required_before = texts_in(member_of(older, "required"));
    const std::set<std::string> required_now = texts_in(member_of(newer, "required"));
    for (const auto& [name, schema] : before.items()) {
      const std::string field = (path.empty() ? "" : path + ".") + printable(name, 60);
      const auto same = now.find(name);
      if (same == now.end()) {
        // What a caller goes on sending is ignored.
        add(side_ == Side::request ? Weight::warns : Weight::breaks, field, "is gone");
        continue;
      }
      const bool was = required_before.contains(name), is = required_now.contains(name);
      if (was != is) {
        const std::string request = is ? "is required now" : "need not be given any more";
        const std::string response = is ? "is always there now" : "may be missing now";
        tell({is, was}, Weight::breaks, field, side_ == Side::request ? request : response);
      }
      compare(schema, *same, field, was != is);
    }
    for (const auto& [name, schema] : now.items()) {
      if (before.contains(name)) continue;
      const bool required = side_ == Side::request && required_now.contains(name);
      add(required ? Weight::breaks : Weight::fine, (path.empty() ? "" : path + ".") + printable(name, 60),
          required ? "is new and required" : "is new");
    }
  }

  static std::string was_is(const SchemaView& before, const SchemaView& now) {
    return "was " + printable(wire::to_text(before)) + ", is " + printable(wire::to_text(now));
  }

  /// A request that is narrower breaks; a response that is wider has the given weight.
  void tell(const Direction& direction, Weight wider_response, const std::string& path, const std::string& what) {
    if (!direction.narrower && !direction.wider) return;
    Weight weight = Weight::fine;
    if (side_ == Side::request && direction.narrower) weight = Weight::breaks;
    if (side_ == Side::response && direction.wider) weight = wider_response;
    add(weight, path, what);
  }

  void add(Weight weight, const std::string& path, const std::string& what) {
    const std::string side = side_ == Side::request ? "request" : "response";
    changes_.push_back({weight, {}, path.empty() ? side + ": " + what : side + " field \"" + path + "\": " + what});
  }

  const Side side_;
  const json& old_root_;
  const json& new_root_;
  std::set<std::pair<const json*, const json*>> compared_;
  unsigned depth_ = 0;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> compare_schemas(Side side, const json& older, const json& newer) {
  return Comparison(side, older, newer).run();
}

}  // namespace busbar::host
