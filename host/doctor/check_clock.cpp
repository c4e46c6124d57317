// Whether this machine's clock can be believed, by what it says of itself, by what this node has stored, and by others.
#include <sys/timex.h>
#include <busbar/registry/incarnation.hpp>

#include <chrono>
#include <cstdlib>

#include "doctor/examined.hpp"
#include "log/text.hpp"

namespace busbar::host::doctor {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr const char* kCheck = "clock";
constexpr std::chrono::seconds kTolerance{2};

void check_synchronised(Findings& findings) {
  timex state{};  // no modes: it is only looked at
  const int result = ::adjtimex(&state);
  if (result < 0) return findings.ok(kCheck, "synchronisation", "the kernel does not tell");
  if (result != TIME_ERROR && (state.status & STA_UNSYNC) == 0)
    return findings.ok(kCheck, "synchronisation", "the kernel says that the clock is synchronised");
  findings.warning(kCheck, "synchronisation", "the kernel says that the clock is not synchronised", "one that is",
                   "run chrony or systemd-timesyncd (timedatectl shows whether it does); in a container that is the "
                   "machine's business");
}

// Starts are numbered by the time of each, which never goes back (C-G9).
void check_stored(const Examined& host, Findings& findings) {
  const auto stored = registry::stored_incarnation(host.config.paths.state);
  const std::string subject = (host.config.paths.state / "incarnation").string();
  if (!stored) return findings.ok(kCheck, subject, "no start of this node is stored");
  const system_clock::time_point start{microseconds(static_cast<std::int64_t>(*stored))};
  const auto now = system_clock::now();
  if (start <= now + kTolerance)
    return findings.ok(kCheck, subject, "the last start was at " + utc_text(start) + ", before now");
  findings.warning(kCheck, subject, "the last start was at " + utc_text(start) + ", and now it is " + utc_text(now),
                   "that starts are in the past: the clock was set back, or was wrong then",
                   "set the clock right; the numbers of starts go on from there by themselves");
}

void check_others(const Examined& host, Findings& findings) {
  for (const auto& view : host.answer("/views/views")) {
    const auto offset = view.find("clock_offset_ms");
    if (offset == view.end() || !offset->is_number_integer()) continue;
    const milliseconds ahead(offset->get<std::int64_t>());
    const std::string node = view.value("node", "");
    const std::string found = "its clock is " + std::to_string(std::abs(ahead.count())) + " ms " +
                              (ahead.count() < 0 ? "behind" : "ahead of") + " this host's";
    if (std::chrono::abs(ahead) <= kTolerance) {
      findings.ok(kCheck, node, found);
    } else {
      findings.warning(kCheck, node, found, "at most 2000 ms",
                       "synchronise the clocks of both machines: logs and events cannot be put in order otherwise");
    }
  }
}

}  // namespace

void check_clock(const Examined& host, Findings& findings) {
  check_synchronised(findings);
  check_stored(host, findings);
  check_others(host, findings);
}

}  // namespace busbar::host::doctor
