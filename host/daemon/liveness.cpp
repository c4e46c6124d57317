#include "daemon/liveness.hpp"

namespace busbar::host {

std::vector<Liveness::Hanging> Liveness::hanging(Clock::time_point now) {
  std::vector<Hanging> hanging;
  const auto turns = threads_.turns();
  seen_.resize(turns.size());
  for (std::size_t i = 0; i < turns.size(); ++i) {
    Seen& seen = seen_[i];
    if (seen.asked == Clock::time_point{} || turns[i].count != seen.count) {
      seen = {turns[i].count, now};
    } else if (const auto waited = now - seen.asked; waited > patience_) {
      hanging.push_back({turns[i].thread, waited});
    }
  }
  threads_.have_turn();
  return hanging;
}

std::string in_words(const Liveness::Hanging& hanging) {
  return "thread " + std::string(hanging.thread) + " has not turned for " +
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(hanging.waited).count()) + " s";
}

}  // namespace busbar::host
