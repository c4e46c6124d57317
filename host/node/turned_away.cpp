#include "node/turned_away.hpp"

#include <chrono>
#include <new>
#include <string>
#include <utility>

namespace busbar::host {

namespace {

constexpr std::chrono::seconds kLineInterval{10};
// Of all who are turned away within that time: who has many addresses must not fill the log.
constexpr std::size_t kMostLines = 32;

// One address is one, whatever its ports are. One of IPv6 has a port only behind a bracket.
std::string_view without_port(std::string_view who) {
  const std::size_t colon = who.rfind(':');
  const std::string_view address = who.substr(who.rfind(' ') + 1);
  if (address.find(':') != address.rfind(':') && !address.starts_with('[')) return who;
  const bool is_port = colon != std::string_view::npos && colon + 1 < who.size() &&
                       who.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  return is_port ? who.substr(0, colon) : who;
}

}  // namespace

TurnedAwayLog::TurnedAwayLog(Logger log) : log_(std::move(log)), lines_(kLineInterval, kMostLines) {}

void TurnedAwayLog::operator()(std::string_view plane, registry::net::TurnedAway why, std::string_view who,
                               std::string_view text) noexcept {
  counts_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  try {
    tell(plane, why, who, text);
  } catch (const std::bad_alloc&) {
    // It is counted.
  }
}

void TurnedAwayLog::tell(std::string_view plane, registry::net::TurnedAway why, std::string_view who,
                         std::string_view text) {
  const std::string_view reason = registry::net::name_of(why);
  const std::string key = std::string(plane) + ' ' + std::string(reason) + ' ' + std::string(without_port(who));
  if (const auto line = lines_.ask(key)) {
    log_.warn("somebody was turned away",
              {{"plane", plane}, {"reason", reason}, {"who", who}, {"text", text}, {"suppressed", line.suppressed}});
  }
}

}  // namespace busbar::host
