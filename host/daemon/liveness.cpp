#include "daemon/liveness.hpp"

namespace busbar::host {

std::vector<std::string> Liveness::hanging(Clock::time_point now) {
  std::vector<std::string> hanging;
  const auto turns = node_.turns();
  seen_.resize(turns.size());
  for (std::size_t i = 0; i < turns.size(); ++i) {
    Seen& seen = seen_[i];
    if (seen.asked == Clock::time_point{} || turns[i].count != seen.count) {
      seen = {turns[i].count, now};
    } else if (const auto waited = now - seen.asked; waited > kPatience) {
      hanging.push_back("thread " + std::string(turns[i].thread) + " has not turned for " +
                        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(waited).count()) + " s");
    }
  }
  node_.have_threads_turn();
  return hanging;
}

}  // namespace busbar::host
