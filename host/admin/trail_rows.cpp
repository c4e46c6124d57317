#include "admin/trail_rows.hpp"

#include <cstddef>
#include <string>
#include <utility>

namespace busbar::host {

using nlohmann::json;

namespace {

constexpr std::size_t kMostRows = 1'000;

json row_of(const TrailEntry& entry) {
  json row = {{"kind", name_of(entry.kind)},
              {"service", entry.service.view()},
              {"message_id", entry.message_id.view()},
              {"causation_id", entry.causation_id.view()},
              {"begun_us", entry.begun / kMicrosecond}};
  if (entry.queued >= 0) row["queued_us"] = entry.queued / kMicrosecond;
  if (entry.running >= 0) row["running_us"] = entry.running / kMicrosecond;
  if (entry.deferred >= 0) row["deferred_us"] = entry.deferred / kMicrosecond;
  if (entry.kind == TrailEntry::Kind::ran) return row;
  row["outcome"] = name_of(entry.outcome);
  row["duration_us"] = entry.whole / kMicrosecond;
  row["timeout_ms"] = entry.timeout_ms;
  if (entry.kind == TrailEntry::Kind::asked) row["node"] = entry.node.view();
  return row;
}

json row_of(const CallRow& call, Nanos now) {
  json row = {{"kind", name_of(call.state)},
              {"service", call.service},
              {"message_id", call.message_id},
              {"causation_id", call.causation_id},
              {"begun_us", (now - call.queued - call.running) / kMicrosecond},
              {"queued_us", call.queued / kMicrosecond},
              {"running_us", (call.running - call.deferred) / kMicrosecond}};
  if (call.state == CallRow::State::deferred) row["deferred_us"] = call.deferred / kMicrosecond;
  if (call.state == CallRow::State::sent) row["node"] = call.node;
  return row;
}

}  // namespace

json trail_rows(const Dispatcher& dispatcher, std::string_view correlation_id) {
  json rows = json::array();
  // First what goes on: should it end meanwhile, it is told of twice rather than not at all.
  for (const CallRow& call : dispatcher.calls()) {
    if (call.correlation_id == correlation_id) rows.push_back(row_of(call, now_ns()));
  }
  for (const TrailEntry& entry : dispatcher.trails().of(correlation_id)) rows.push_back(row_of(entry));
  if (rows.size() > kMostRows) rows.erase(rows.begin(), rows.end() - kMostRows);
  return rows;
}

}  // namespace busbar::host
