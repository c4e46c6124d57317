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
  if (state == "up")
    return findings.ok(kCheck, name,
                       "up" + since + ", round trip " + row.value("round_trip_us", json()).dump() + " us");
  if (state == "unreachable") return findings.problem(kCheck, name, state + since, "up", advice);
  findings.warning(kCheck, name, state + since, "up", advice);
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
  for (const json& row : views.front().value("nodes", json::array())) check_row(row, findings);
  for (const json& difference : host.answer("/views/differences")) {
    findings.warning(kCheck, "views", words_of(difference), "that all nodes see the same",
                     "busbar nodes --views, a moment later: if it lasts, see what is between those two");
  }
  check_turned_away(host, findings);
  const bool alone = views.front().value("nodes", json::array()).size() == 1;
  if (alone && !host.config.cluster.join.empty()) {
    return findings.warning(kCheck, "cluster", "this node knows no other", "at least one of those it joins through",
                            "see the check of seeds");
  }
  if (alone) findings.ok(kCheck, "cluster", "this node is the only one, and joins through none");
}

}  // namespace busbar::host::doctor
