// Random schedules: nodes come, leave, die, freeze, are cut off and lose messages; then it is quiet, and everybody must
// know exactly who is alive.
#include "unit/registry/virtual_network.hpp"

namespace busbar::registry::testing {
namespace {

class Schedule {
 public:
  explicit Schedule(std::uint64_t seed) : random_(seed), network_(seed) {
    const std::size_t count = 3 + random_() % 4;
    for (std::size_t i = 0; i < count; ++i) keys_.push_back(std::string("n") + std::to_string(i));
    network_.drop = [this](const auto&, const auto&, const auto&) { return is_lossy_ && random_() % 10 == 0; };
    network_.duplicate = [this](const auto&, const auto&, const auto&) { return is_lossy_ && random_() % 20 == 0; };
  }

  std::string run() {
    for (int i = 0; i < 40; ++i) {
      network_.latency = std::chrono::milliseconds(1 + random_() % 30);
      something_happens(keys_[random_() % keys_.size()]);
      network_.run(std::chrono::milliseconds(random_() % 2'000));
    }
    is_lossy_ = false;
    for (auto& [key, node] : network_.nodes()) {
      node.group = 0;
      if (node.frozen) network_.wake(key);
    }
    if (!lives("n0") && !lives("n1")) start("n0");  // else those who have not met yet never will
    network_.run(40s);  // the longest delay between two attempts, with its jitter, and what follows from it
    return disagreement(network_);
  }

 private:
  bool lives(const std::string& key) {
    const auto known = network_.nodes().find(key);
    return known != network_.nodes().end() && known->second.alive;
  }
  void something_happens(const std::string& key) {
    const auto known = network_.nodes().find(key);
    if (known == network_.nodes().end() || !known->second.alive) return start(key);
    VirtualNode& node = known->second;
    if (node.frozen) return network_.wake(key);
    switch (random_() % 8) {
      case 0:
        return network_.leave(key);
      case 1:
        return network_.crash(key);
      case 2:
        network_.crash(key);
        return start(key);
      case 3:
        return network_.freeze(key);
      case 4:
        node.group = 1 - node.group;
        return;
      case 5:
        is_lossy_ = !is_lossy_;
        return;
      default:
        return network_.change(key, {service("s" + std::to_string(random_() % 100))});
    }
  }
  void start(const std::string& key) {
    // The first two are everybody's seeds. Now and then a clock is set back.
    const std::uint64_t incarnation = random_() % 4 == 0 ? 1 + random_() % 100 : ++last_incarnation_;
    network_.start(key, {"n0", "n1"}, incarnation, {service("first")});
  }

  std::mt19937_64 random_;
  VirtualNetwork network_;
  std::vector<std::string> keys_;
  std::uint64_t last_incarnation_ = 100;
  bool is_lossy_ = false;
};

/// A batch of seeds, so that no one test takes long.
struct Schedules : ::testing::TestWithParam<std::uint64_t> {
  static constexpr std::uint64_t kBatch = 25;
};

TEST_P(Schedules, AfterEachEverybodyKnowsExactlyWhoIsAliveAndTheirNewestRecord) {
  for (std::uint64_t seed = GetParam() * kBatch; seed < (GetParam() + 1) * kBatch; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_EQ(Schedule(seed).run(), "");
    ASSERT_FALSE(HasFailure());
  }
}
INSTANTIATE_TEST_SUITE_P(Random, Schedules, ::testing::Range<std::uint64_t>(0, 8));

}  // namespace
}  // namespace busbar::registry::testing
