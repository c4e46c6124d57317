// Ten thousand random schedules, in shards that ctest runs side by side. A failure prints its seed;
// BUSBAR_SIMULATION_SEED=SEED replays that one alone, with all that the nodes were told. SEED+COUNT runs so many from
// there on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "unit/registry/simulation/simulation.hpp"

namespace busbar::registry::testing {
namespace {

constexpr std::uint64_t kShards = 20;
#if defined(BUSBAR_SANITIZE_ADDRESS)
constexpr std::uint64_t kEach = 25;
#else
constexpr std::uint64_t kEach = 500;
#endif

/// Which seeds a shard has.
struct Seeds {
  std::uint64_t first = 0, count = 0;
  bool is_replay = false;
};

Seeds seeds_of(std::uint64_t shard) {
  const char* wanted = std::getenv("BUSBAR_SIMULATION_SEED");
  if (wanted == nullptr) return {.first = shard * kEach, .count = kEach};
  char* rest = nullptr;
  const std::uint64_t first = std::strtoull(wanted, &rest, 10);
  const std::uint64_t all = *rest == '+' ? std::strtoull(rest + 1, nullptr, 10) : 1;
  const std::uint64_t each = (all + kShards - 1) / kShards;
  const std::uint64_t begin = std::min(shard * each, all);
  return {.first = first + begin, .count = std::min(each, all - begin), .is_replay = all == 1};
}

/// The plan with as few steps as it takes to fail.
Plan shortened(Plan plan) {
  for (bool is_shorter = true; is_shorter;) {
    is_shorter = false;
    for (std::size_t i = plan.steps.size(); i-- > 0;) {
      Plan shorter = plan;
      shorter.steps.erase(shorter.steps.begin() + static_cast<std::ptrdiff_t>(i));
      if (Simulation(shorter).run().empty()) continue;
      plan = std::move(shorter);
      is_shorter = true;
    }
  }
  return plan;
}

std::string story_of(const Plan& plan, bool tells) {
  Simulation simulation(plan, tells);
  simulation.run();
  const auto& lines = simulation.story();
  return std::accumulate(lines.begin(), lines.end(), std::string{},
                         [](std::string text, const std::string& line) { return std::move(text) + "\n  " + line; });
}

struct RandomSchedules : ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomSchedules, AfterEachQuietPeriodEverybodyKnowsExactlyWhatIsAlive) {
  const Seeds seeds = seeds_of(GetParam());
  for (std::uint64_t seed = seeds.first; seed != seeds.first + seeds.count; ++seed) {
    const Plan plan = plan_of(seed);
    const std::string failure = Simulation(plan).run();
    if (failure.empty()) continue;
    FAIL() << "seed " << seed << ": " << failure << "\nreplay it: BUSBAR_SIMULATION_SEED=" << seed
           << " bin/test_simulation\nwhat happened, shortened:" << story_of(shortened(plan), seeds.is_replay);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomSchedules, ::testing::Range<std::uint64_t>(0, kShards));

}  // namespace
}  // namespace busbar::registry::testing
