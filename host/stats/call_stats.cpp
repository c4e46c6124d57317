#include "stats/call_stats.hpp"

#include <numeric>

namespace busbar::host {

std::uint64_t CallCounts::total() const noexcept {
  return std::accumulate(outcomes.begin(), outcomes.end(), std::uint64_t{0});
}

unsigned CallStats::next_shard() noexcept {
  static std::atomic<unsigned> threads{0};
  return threads.fetch_add(1, std::memory_order_relaxed) % kShards;
}

CallCounts CallStats::read() const noexcept {
  CallCounts counts;
  DurationCounts at_once;
  for (const Shard& shard : shards_) {
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      counts.outcomes[i] += shard.outcomes[i].load(std::memory_order_relaxed);
    }
    shard.at_once.read_into(at_once);
    shard.queued.read_into(counts.queued);
    shard.running.read_into(counts.running);
    shard.whole.read_into(counts.whole);
  }
  counts.running += at_once;
  counts.whole += at_once;
  counts.queued.counts.front() += at_once.total();  // they have waited for nothing
  return counts;
}

}  // namespace busbar::host
