// Where the time of a call went: what several nodes know of it, as one story, hop by hop.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace busbar::host {

/// What the nodes say that were asked: their rows (admin/trail_rows.hpp), or in words why they do not.
struct TrailParts {
  std::map<std::string, nlohmann::json> rows;      ///< by node
  std::map<std::string, std::string> unreachable;  ///< likewise
};

/// {"hops":[{"service","node","message_id","depth","state","outcome","duration_us","wire_us","queued_us","running_us",
/// "own_us"}…],"longest":{"service","node","message_id","part","duration_us"},"unreachable":{NODE: REASON}}.
/// A hop is an attempt of a call at a node; those that a handler caused stand below it, one deeper, in the order in
/// which it did. What is not known of one is left out. `running_us` is of its handler, `own_us` is what of it was not
/// spent waiting for the hops below; `wire_us` is what a call to another node took longer for who asked than for who
/// was asked. `longest`: the part of a hop (`queued`, `running`, `wire`, `unanswered`) that took longest.
/// Errors: nlohmann::json::exception where a node's rows are none.
nlohmann::json trail_document(const TrailParts& parts);

}  // namespace busbar::host
