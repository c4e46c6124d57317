#include "admin/events_document.hpp"

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include <busbar/wire/admin.hpp>

#include "log/text.hpp"

namespace busbar::host {

namespace {

// A cursor as it travels: numbers of blocks, and how many of their events have been seen, in turn.
struct Next {
  std::uint64_t total = 0;
  std::vector<std::uint64_t> blocks;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(total), CEREAL_NVP(blocks));
  }
};

// RFC 3339, UTC, to the microsecond.
std::string time_text(Nanos at) {
  const std::chrono::system_clock::time_point whole{std::chrono::milliseconds(at / kMillisecond)};
  std::string text = utc_text(whole);
  text.pop_back();  // the Z
  char more[8];
  std::snprintf(more, sizeof more, "%03dZ", static_cast<int>(at % kMillisecond / kMicrosecond));
  return text + more;
}

nlohmann::json to_json(const KeptEvent& event) {
  nlohmann::json row = {{"event", name_of(event.kind)}, {"at", time_text(event.at)}};
  const auto put = [&](const char* name, const std::string& text) {
    if (!text.empty()) row[name] = text;
  };
  put("node", event.node);
  put("service", event.service);
  put("message_id", event.message_id);
  put("correlation_id", event.correlation_id);
  put("plugin", event.plugin);
  put("origin", event.origin);
  put("response", std::string(wire::name_of(event.response)));
  put("code", event.code);
  put("reason", event.reason);
  put("file", event.file);
  if (event.duration != 0) row["duration_us"] = event.duration / kMicrosecond;
  if (event.kind == EventKind::service_request_received) row["visibility"] = event.is_public ? "public" : "private";
  return row;
}

}  // namespace

EventHistory::Cursor read_cursor(const wire::Item& item) {
  const auto next = cbor::decode<Next>(item);
  EventHistory::Cursor cursor;
  cursor.total = next.total;
  for (std::size_t i = 0; i + 1 < next.blocks.size(); i += 2) {
    cursor.blocks.push_back({next.blocks[i], next.blocks[i + 1]});
  }
  return cursor;
}

nlohmann::json events_document(const EventHistory::Page& page) {
  nlohmann::json events = nlohmann::json::array();
  for (const KeptEvent& event : page.events) events.push_back(to_json(event));
  nlohmann::json blocks = nlohmann::json::array();
  for (const auto& seen : page.next.blocks) {
    blocks.push_back(seen.block);
    blocks.push_back(seen.events);
  }
  return {{"events", std::move(events)},
          {"missed", page.missed},
          {"next", {{"total", page.next.total}, {"blocks", std::move(blocks)}}}};
}

}  // namespace busbar::host
