// The cluster as the host sees it, and as the other nodes do.
#include "doctor/examined.hpp"

namespace busbar::host::doctor {

namespace {

using nlohmann::json;

constexpr const char* kCheck = "peers";

void check_row(const json& row, Findings& findings) {
  const std::string name = row.value("name", ""), state = row.value("state", "");
  if (state == "self") return;
  const std::string since = " since " + row.value("state_since", "?");
  const std::string advice = "see whether that node runs and can be reached at " + row.value("address", "?") +
                             "; its log and this host's tell more";
  if (state == "up") {
    const json trip = row.value("round_trip_us", json());
    return findings.ok(kCheck, name,
                       "up" + since + ", round trip " + (trip == 0 ? "not known yet" : trip.dump() + " us"));
  }
  if (state == "unreachable") return findings.problem(kCheck, name, state + since, "up", advice);
  findings.warning(kCheck, name, state + since, "up", advice);
}

// Whom this node has lost: the others' losses are among the differences.
std::size_t check_lost(const json& departed, Findings& findings) {
  std::size_t lost = 0;
  for (const json& row : departed) {
    if (!row.value("may_return", false)) continue;
    ++lost;
    findings.problem(kCheck, row.value("name", ""),
                     "lost since " + row.value("since", "?") + ": " + row.value("reason", "?"), "up",
                     "see whether that node runs and can be reached at " + row.value("registry_address", "?") +
                         ": it comes back by itself; if it is gone for good, it is forgotten after ten minutes");
  }
  return lost;
}

bool is_told_already(const json& difference, const json& self) {
  return difference.value("kind", "") == "lost" && self == difference.value("node", "");
}

std::string words_of(const json& difference) {
  std::string kind = difference.value("kind", "");
  for (char& c : kind) c = c == '_' ? ' ' : c;
  std::string out = difference.value("node", "") + " says of " + difference.value("peer", "itself") + ": " + kind;
  if (const std::string reason = difference.value("reason", ""); !reason.empty()) out += " (" + reason + ")";
  return out;
}

void check_turned_away(const Examined& host, Findings& findings) {
  const json counts = host.answer("/status/cluster/security/turned_away");
  const auto tell = [&](const char* why, const char* found, const char* advice) {
    const json count = counts.is_object() ? counts.value(why, json()) : json();
    if (count.is_number() && count > 0)
      findings.warning(kCheck, "those who were turned away", count.dump() + found, "none", advice);
  };
  tell("other_cluster", " nodes or clients of another cluster came",
       "the log tells from where: give them this cluster's name, or other addresses");
  tell("other_version", " nodes or clients came that speak another version of the protocol",
       "the log tells from where: bring all nodes to one version");
  tell("other_name", " claimed a name that is not that of their key", "the log tells from where");
}

}  // namespace

void check_peers(const Examined& host, Findings& findings) {
  const json views = host.answer("/views/views");
  if (!views.is_array() || views.empty()) return;  // no host, or one that is not ready
  const json& own = views.front();
  for (const json& row : own.value("nodes", json::array())) check_row(row, findings);
  const std::size_t lost = check_lost(own.value("departed", json::array()), findings);
  for (const json& difference : host.answer("/views/differences")) {
    if (is_told_already(difference, own.value("node", json()))) continue;
    findings.warning(kCheck, "views", words_of(difference), "that all nodes see the same",
                     "busbar nodes --views, a moment later: if it lasts, see what is between those two");
  }
  check_turned_away(host, findings);
  const bool alone = lost == 0 && own.value("nodes", json::array()).size() == 1;
  if (alone && !host.config.cluster.join.empty()) {
    return findings.warning(kCheck, "cluster", "this node knows no other", "at least one of those it joins through",
                            "see the check of seeds");
  }
  if (alone) findings.ok(kCheck, "cluster", "this node is the only one, and joins through none");
}

}  // namespace busbar::host::doctor
