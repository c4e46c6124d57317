#include "unit/registry/simulation/steps.hpp"

#include <array>
#include <random>

namespace busbar::registry::testing {
namespace {

using namespace std::chrono_literals;
using Random = std::mt19937_64;

/// How often each happens, beside the others.
struct Weight {
  Fault fault;
  unsigned weight;
};
constexpr std::array kWeights{
    Weight{Fault::start, 6}, Weight{Fault::change, 6},     Weight{Fault::crash, 3},   Weight{Fault::restart, 4},
    Weight{Fault::move, 4},  Weight{Fault::switch_off, 3}, Weight{Fault::leave, 3},   Weight{Fault::freeze, 3},
    Weight{Fault::wake, 3},  Weight{Fault::split, 3},      Weight{Fault::heal, 4},    Weight{Fault::split_loud, 2},
    Weight{Fault::cut, 3},   Weight{Fault::weather, 4},    Weight{Fault::one_way, 3}, Weight{Fault::second, 3}};

Fault any_fault(Random& random) {
  unsigned all = 0;
  for (const Weight& one : kWeights) all += one.weight;
  auto drawn = static_cast<unsigned>(random() % all);
  for (const Weight& one : kWeights) {
    if (drawn < one.weight) return one.fault;
    drawn -= one.weight;
  }
  return Fault::heal;
}

/// Most follow each other while what came before is still being dealt with; some, when a node has been given up.
std::chrono::milliseconds any_pause(Random& random) {
  const std::uint64_t kind = random() % 16;
  if (kind < 3) return 0ms;
  if (kind < 8) return std::chrono::milliseconds(random() % 100);
  if (kind < 14) return std::chrono::milliseconds(random() % 1'500);
  if (kind < 15) return 3'000ms + std::chrono::milliseconds(random() % 2'000);
  return std::chrono::milliseconds(random() % 12'000);
}

}  // namespace

Plan plan_of(std::uint64_t seed) {
  Random random(seed);
  Plan plan{.seed = seed, .names = 3 + random() % 10, .encodes = random() % 8 == 0, .steps = {}};
  const std::size_t first = plan.names / 2 + random() % plan.names;
  for (std::size_t i = 0; i < first; ++i) plan.steps.push_back({Fault::start, any_pause(random) / 4, random()});
  const std::size_t phases = 1 + random() % 3;
  for (std::size_t phase = 0; phase < phases; ++phase) {
    const std::size_t faults = 4 + random() % 16;
    for (std::size_t i = 0; i < faults; ++i) plan.steps.push_back({any_fault(random), any_pause(random), random()});
    plan.steps.push_back({Fault::quiet, 0ms, random()});
  }
  return plan;
}

}  // namespace busbar::registry::testing
