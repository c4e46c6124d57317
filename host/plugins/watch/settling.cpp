#include "plugins/watch/settling.hpp"

#include <algorithm>

namespace busbar::host {

namespace {

bool same(const std::optional<Found>& a, const std::optional<Found>& b) {
  return a.has_value() == b.has_value() && (!a || a->stamp == b->stamp);
}

}  // namespace

void Settling::happened(const std::string& name, Change change, Time now) {
  const auto [at, is_new] = waiting_.try_emplace(name);
  Waiting& waiting = at->second;
  if (is_new) waiting.since = now;
  // Linkers and `install` set the mode after they have closed the file.
  if (change != Change::attributes || is_new) waiting.finished = change == Change::finished;
  waiting.changed = now;
  waiting.seen = false;
  // Who writes on and on is not looked at each time: it is enough to do so before its silence has been long enough.
  const Time silent = now + rules_.quiet - rules_.after_finished;
  waiting.due = is_new || waiting.finished ? now : std::min(silent, waiting.since + rules_.longest);
}

bool Settling::look(const std::string& name, const std::optional<Found>& found, Time now) {
  const auto at = waiting_.find(name);
  if (at == waiting_.end()) return true;
  Waiting& waiting = at->second;
  if (!waiting.seen || !same(waiting.found, found)) {
    if (waiting.seen) waiting.changed = now;  // and nobody has told: there are file systems that do not
    waiting.seen = true;
    waiting.seen_at = now;
  }
  waiting.found = found;
  const Duration rest = waiting.finished ? rules_.after_finished : rules_.quiet;
  const Time rested = std::max(waiting.changed + rest, waiting.seen_at + rules_.after_finished);
  const Time patience = waiting.since + rules_.incomplete;
  const bool is_whole = !found || found->whole || now >= patience;
  const Time longest = waiting.since + rules_.longest;
  if ((now >= rested && is_whole) || now >= longest) {
    waiting_.erase(at);
    return true;
  }
  // One that is not whole yet may become so without a word.
  waiting.due = std::min(now < rested ? rested : std::min(now + rest, patience), longest);
  return false;
}

std::vector<std::string> Settling::due(Time now) const {
  std::vector<std::string> out;
  for (const auto& [name, waiting] : waiting_) {
    if (now >= waiting.due) out.push_back(name);
  }
  return out;
}

std::optional<Settling::Time> Settling::next_due() const {
  std::optional<Time> next;
  for (const auto& [name, waiting] : waiting_) {
    if (!next || waiting.due < *next) next = waiting.due;
  }
  return next;
}

}  // namespace busbar::host
