#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

/// What a change means for those who call.
enum class Weight {
  breaks,  ///< a call that worked need not work any more
  warns,   ///< it works as long as callers do not rely on what has changed
  fine,
};

/// "breaks", "warns", "fine".
std::string_view to_text(Weight weight);

/// One difference between two versions of a plugin.
struct Change {
  Weight weight;
  std::string service;  ///< empty: of the plugin
  std::string text;     ///< for people

  friend bool operator==(const Change&, const Change&) = default;
};

/// Who writes what a schema describes, which turns around what breaks: of a request less may not be taken than before,
/// of a response no more may be given.
enum class Side { request, response };

/// What differs between two JSON Schemas of a service's requests or responses, as the SDK writes them. Of others it is
/// only said that they differ. Safe for any JSON.
std::vector<Change> compare_schemas(Side side, const nlohmann::json& older, const nlohmann::json& newer);

/// What differs between two versions of a plugin in its services and its own limit; what breaks comes first. Schemas
/// that are no JSON are taken for unknown.
std::vector<Change> compare_routers(const RouterFacts& older, const RouterFacts& newer);

}  // namespace busbar::host
