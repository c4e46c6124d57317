#include "top/snapshot.hpp"

#include <limits>

#include "rows.hpp"

namespace busbar::cli {

namespace {

/// Whether it is a whole number from 0 on.
bool is_count(const Json& value) {
  return value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
}

std::uint64_t number(const Json& object, const char* member) {
  const auto found = object.is_object() ? object.find(member) : object.end();
  return found != object.end() && is_count(*found) ? found->get<std::uint64_t>() : 0;
}

Json member_of(const Json& object, const char* member) {
  const auto found = object.is_object() ? object.find(member) : object.end();
  return found == object.end() ? Json() : *found;
}

CallTotals totals_of(const Json& row) {
  CallTotals out;
  const Json calls = member_of(row, "calls");
  if (calls.is_object()) {
    for (const auto& [kind, count] : calls.items()) {
      if (!is_count(count)) continue;
      out.calls += count.get<std::uint64_t>();
      if (kind != "ok" && kind != "created") out.errors += count.get<std::uint64_t>();
    }
  }
  for (const Json& bucket : member_of(member_of(row, "duration_us"), "buckets")) {
    if (!bucket.is_array() || bucket.size() != 2 || !is_count(bucket[1])) continue;
    const double bound = bucket[0].is_number() ? bucket[0].get<double>() : std::numeric_limits<double>::infinity();
    out.buckets[bound] += bucket[1].get<std::uint64_t>();
  }
  return out;
}

Snapshot::Service service_of(const Json& row) {
  Snapshot::Service out;
  out.service = text_of(row, "service");
  out.plugin = text_of(row, "plugin");
  out.version = text_of(row, "version");
  out.running = number(row, "running") + number(row, "deferred");
  out.queued = number(row, "queued");
  out.totals = totals_of(row);
  return out;
}

Snapshot::Node node_of(const Json& row, const Json& stats) {
  Snapshot::Node out;
  out.name = text_of(row, "name");
  out.state = text_of(row, "state");
  out.round_trip_us = number(row, "round_trip_us");
  out.services = number(row, "services");
  for (const Json& remote : rows_in(stats, "remote")) {
    if (text_of(remote, "node") != out.name) continue;
    out.pending = number(remote, "pending");
    out.totals = totals_of(remote);
  }
  return out;
}

Snapshot::Plugin plugin_of(const Json& row) {
  const std::string name = text_of(row, "name");
  return {name.empty() ? text_of(row, "file") : name, text_of(row, "version"), text_of(row, "state"),
          number(row, "generation"), number(row, "calls_running")};
}

}  // namespace

Snapshot read_snapshot(const Json& stats, const Json& plugins) {
  Snapshot out;
  for (const Json& row : rows_in(plugins, "plugins")) out.plugins.push_back(plugin_of(row));
  if (!stats.is_object()) return out;
  out.node = text_of(stats, "node");
  out.at_us = number(stats, "at_us");
  const Json uptime = member_of(stats, "uptime_s");
  if (uptime.is_number()) out.uptime_s = uptime.get<double>();
  const Json pool = member_of(stats, "pool");
  out.pool = {number(pool, "threads"), number(pool, "busy"), number(pool, "queued")};
  for (const Json& row : rows_in(stats, "services")) out.services.push_back(service_of(row));
  for (const Json& row : rows_in(stats, "nodes")) out.nodes.push_back(node_of(row, stats));
  return out;
}

}  // namespace busbar::cli
