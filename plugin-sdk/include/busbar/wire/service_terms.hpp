// How limits and strategies stand in a document, and how people are told them: the same by a host, which knows them as
// facts, and by the command line, which reads them in a host's document. `Json` is nlohmann::json or ordered_json.
#pragma once

#include <busbar/abi.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace busbar::wire {

/// How many calls one node takes: of a service, or of all services of a plugin together.
struct CallLimit {
  std::uint32_t max_running = 0;  ///< 0: no limit
  std::uint32_t max_queued = 0;   ///< with max_running: that wait; BUSBAR_NO_LIMIT: as many as the pool lets wait

  friend bool operator==(const CallLimit&, const CallLimit&) = default;
};

/// Adds "max_running" and "max_queued" to a JSON object, where there is a limit.
template <class Json>
void put_limit(Json& object, const CallLimit& limit) {
  if (limit.max_running == 0) return;
  object["max_running"] = limit.max_running;
  if (limit.max_queued != BUSBAR_NO_LIMIT) object["max_queued"] = limit.max_queued;
}

/// What `put_limit` has written. Safe for any JSON: what is no such number counts as not said.
template <class Json>
CallLimit limit_in(const Json& object) {
  const auto number = [&](const char* name, std::uint32_t absent) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    if (found == object.end() || !found->is_number_unsigned()) return absent;
    const auto value = found->template get<std::uint64_t>();
    return value < BUSBAR_NO_LIMIT ? static_cast<std::uint32_t>(value) : absent;
  };
  CallLimit limit{number("max_running", 0), 0};
  if (limit.max_running != 0) limit.max_queued = number("max_queued", BUSBAR_NO_LIMIT);
  return limit;
}

/// `none`, `8 at a time`, `8 at a time and 100 that wait`.
inline std::string to_text(const CallLimit& limit) {
  if (limit.max_running == 0) return "none";
  const std::string running = std::to_string(limit.max_running) + " at a time";
  return limit.max_queued == BUSBAR_NO_LIMIT ? running
                                             : running + " and " + std::to_string(limit.max_queued) + " that wait";
}

/// `random`, `least_pending`, `sticky by "town"`. Both are fit to be shown; empty: not said.
inline std::string strategy_text(const std::string& strategy, const std::string& sticky_field) {
  if (strategy.empty()) return "random";
  return sticky_field.empty() ? strategy : strategy + " by \"" + sticky_field + "\"";
}

}  // namespace busbar::wire
