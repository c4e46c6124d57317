#include "dispatch/call_log.hpp"

#include <busbar/wire/admin.hpp>

namespace busbar::host {

namespace {

// What became of it, in a word: the kind of the response; of an error its code.
std::string_view outcome_of(const Response& response) noexcept {
  return response.kind() == Response::Kind::error ? response.error_code() : wire::name_of(response.kind());
}

}  // namespace

void CallLog::begin(Logger log, Nanos longest) {
  log_ = std::move(log);
  if (longest == 0) return;
  longest_ = longest;
  longest_ticks_ = static_cast<std::uint64_t>(static_cast<double>(longest) / nanos_per_tick());
}

void CallLog::tell(std::uint64_t started, std::string_view service, std::string_view node, const Response& outcome,
                   const CallIds& ids) noexcept try {
  const Nanos took = nanos_between(started, ticks());
  const bool is_slow = took >= longest_;  // the counters of two processors may differ
  if (!is_slow) {
    return log_.debug(
        "a call has ended",
        {{"service", service}, {"node", node}, {"duration_us", took / kMicrosecond}, {"outcome", outcome_of(outcome)}},
        ids);
  }
  if (!log_.enabled(LogLevel::warn)) return;
  const auto line = lines_.ask(service);
  if (!line && !log_.enabled(LogLevel::debug)) return;
  log_.warn("a call took long",
            {{"service", service},
             {"node", node},
             {"duration_us", took / kMicrosecond},
             {"outcome", outcome_of(outcome)},
             {"suppressed", line.suppressed}},
            ids);
} catch (const std::bad_alloc&) {
  // Without memory for the count the line is left out.
}

}  // namespace busbar::host
