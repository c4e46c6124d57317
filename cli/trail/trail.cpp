#include "trail/trail.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "people.hpp"
#include "rows.hpp"

namespace busbar::cli {

namespace {

namespace verb = wire::admin_verb;

std::string shown(const Json& row, const char* member) { return printable(text_of(row, member)); }

/// A duration without its unit, which the head of the table has; a dash where it is not known.
Cell duration_cell(const Json& row, const char* member) {
  const auto found = row.find(member);
  if (found == row.end() || !found->is_number_unsigned()) return {"-", Colour::dim};
  std::string text = milliseconds(found->get<std::uint64_t>());
  text.resize(text.size() - std::string_view(" ms").size());
  return {std::move(text)};
}

Cell outcome_cell(const Json& row) {
  const std::string state = shown(row, "state"), outcome = shown(row, "outcome");
  if (state != "ended" && !state.empty()) {
    return {outcome.empty() ? state : outcome + ", " + state, Colour::yellow};
  }
  return {outcome.empty() ? "-" : outcome, outcome == "ok" || outcome == "created" ? Colour::green : Colour::red};
}

std::vector<Cell> cells_of(const Json& row) {
  const std::uint64_t depth = row.value("depth", std::uint64_t{0});
  constexpr std::uint64_t kDeepest = 20;  // that is shown so: beyond, lines would become ever longer
  return {{std::string(2 * std::min(depth, kDeepest), ' ') + shown(row, "service"), Colour::bold},
          {shown(row, "node")},
          duration_cell(row, "duration_us"),
          duration_cell(row, "wire_us"),
          duration_cell(row, "queued_us"),
          duration_cell(row, "running_us"),
          duration_cell(row, "deferred_us"),
          duration_cell(row, "own_us"),
          outcome_cell(row)};
}

/// `lookup on c was queued for 4980.000 ms`.
std::string longest_line(const Json& longest, Kept kept) {
  const std::string where = shown(longest, "service") + " on " + shown(longest, "node");
  const std::string took = milliseconds(longest.value("duration_us", std::uint64_t{0}));
  const std::string part = text_of(longest, "part");
  if (part == "queued") return where + " waited " + took + " for its turn";
  if (part == "running") {
    return where + " ran for " + took + " itself" +
           (kept == Kept::all ? "" : ", or in calls below that took less than a sixteenth of their time each");
  }
  if (part == "deferred")
    return where + " was deferred for " + took + ": its handler had returned, and somebody was to answer";
  if (part == "wire") return took + " went by on the way to " + where + " and back";
  return where + " has not answered for " + took + ", and does not say why";
}

}  // namespace

Json trail_of(const Ask& ask, const std::string& correlation_id) try {
  wire::AdminRequest request;
  request.seq = 1;
  request.verb = verb::kTrail;
  request.correlation_id = correlation_id;
  const wire::AdminAnswer answer = ask(request);
  if (answer.document) return payload_json(wire::payload_of(answer.document));
  return {{"problem", "the host's answer has no hops"}};
} catch (const Failure& failure) {
  return {{"problem", failure.what()}};
}

std::string trail_text(const Json& document, Kept kept, const Palette& palette) {
  const std::string title = palette(Colour::bold, "where the time went");
  if (const std::string problem = text_of(document, "problem"); !problem.empty()) {
    return title + ": not known, as " + printable(problem) + "\n";
  }
  std::vector<std::vector<Cell>> rows;
  for (const Json& row : rows_in(document, "hops")) rows.push_back(cells_of(row));
  if (rows.empty()) return title + ": no host has kept anything of it\n";
  std::string out =
      title + " (ms)\n" +
      table({"CALL", "NODE", "TOOK", "WIRE", "QUEUED", "RUNNING", "DEFERRED", "OWN", "OUTCOME"}, rows, palette);
  if (const auto longest = document.find("longest"); longest != document.end() && longest->is_object()) {
    out += palette(Colour::bold, "longest") + ": " + longest_line(*longest, kept) + "\n";
  }
  const auto unreachable = document.find("unreachable");
  if (unreachable == document.end() || !unreachable->is_object()) return out;
  for (const auto& [node, reason] : unreachable->items()) {
    out += "node " + in_quotes(node) +
           " could not be asked: " + (reason.is_string() ? printable(reason.get<std::string>()) : "") + "\n";
  }
  return out;
}

}  // namespace busbar::cli
