// What a simulation does when faults have ended: waits until all agree, and looks whether they do.
#include <algorithm>

#include "unit/registry/simulation/agreement.hpp"
#include "unit/registry/simulation/simulation.hpp"

namespace busbar::registry::testing {
namespace {

constexpr std::chrono::seconds kHealsWithin{40};
constexpr std::chrono::milliseconds kLooks{250};
constexpr std::chrono::seconds kRefusedWithin{15};

}  // namespace

void Simulation::quiet(Random& random) {
  say("it is quiet");
  calm_down();
  connect_all();
  if (!agree()) return;
  say("all agree");
  rest(random() % 8 == 0 ? 35 : 2);
  acquainted_.clear();
  for (const VirtualNode* node : living()) {
    if (!is_shared(node->options.node)) acquainted_.emplace(node->key, node->life);
  }
  if (random() % 4 == 0) refuse_newcomer(random);
}

/// What was cut silently may still be noticed after they agreed first, so they must do so for longer than that takes.
/// Of two nodes of one name one may have been let in for as long as the other has not been dialled again.
bool Simulation::agree() {
  const Duration settled = shares_names() ? 13s : network_.lost_after + 1s;
  Time begun = network_.now();
  Time agreed = begun;
  while (network_.now() - agreed < settled) {
    const std::string wrong = disagreement(network_);
    if (!wrong.empty()) agreed = network_.now() + kLooks;
    if (agreed - begun > kHealsWithin) fail("no agreement: " + wrong);
    run(kLooks);
    if (end_refused()) {  // others may have known nobody else
      connect_all();
      begun = agreed = network_.now();
    }
    if (!failure_.empty()) return false;
  }
  healed_after_.push_back(agreed - begun);
  return true;
}

void Simulation::calm_down() {
  network_.weather = {.most = 15ms, .ordered = calm_is_ordered_};
  for (VirtualNode& node : network_.nodes()) node.group = 0;
  network_.lose_nothing();
  for (VirtualNode* node : living()) {
    if (node->frozen) network_.wake(node->key);
  }
}

bool Simulation::know_each_other(const VirtualNode& left, const VirtualNode& right) const {
  const auto dials = [](const VirtualNode& one, const VirtualNode& other) {
    const auto& seeds = one.options.seeds;
    return std::find(seeds.begin(), seeds.end(), other.options.registry_address) != seeds.end();
  };
  if (dials(left, right) || dials(right, left)) return true;
  return acquainted_.contains({left.key, left.life}) && acquainted_.contains({right.key, right.life});
}

/// The largest part of the cluster in which everybody can be known to everybody.
std::vector<VirtualNode*> Simulation::largest_part() {
  // Nobody is found through one of two nodes of one name: it may be without members.
  std::vector<VirtualNode*> outside = living();
  std::erase_if(outside, [&](const VirtualNode* node) { return is_shared(node->options.node); });
  std::vector<VirtualNode*> largest;
  while (!outside.empty()) {
    std::vector<VirtualNode*> part{outside.back()};
    outside.pop_back();
    for (std::size_t i = 0; i < part.size(); ++i) {
      const auto known = std::partition(outside.begin(), outside.end(),
                                        [&](const VirtualNode* other) { return !know_each_other(*part[i], *other); });
      part.insert(part.end(), known, outside.end());
      outside.erase(known, outside.end());
    }
    if (part.size() > largest.size()) std::swap(part, largest);
  }
  return largest;
}

/// Those of whom nobody in the largest part can know are started anew, with a seed there.
void Simulation::connect_all() {
  std::vector<VirtualNode*> part = largest_part();
  for (VirtualNode* node : living()) {
    if (part.empty()) part.push_back(node);
    const bool is_known = std::any_of(part.begin(), part.end(), [&](const VirtualNode* other) {
      return other == node || know_each_other(*other, *node);
    });
    if (is_known) continue;
    Name& name = names_[index_of(node->options.node)];
    name.stored = std::max(name.stored, node->machine->record().incarnation) + 1;
    say(name.name + " at " + node->key + " knows nobody: it starts anew with seed " + part.front()->key);
    network_.crash(node->key);
    network_.start(node->key, {part.front()->key}, name.stored, {}, name.name);
  }
}

/// Nothing changes any more, and what is said at rest is what protocol.md says: a heartbeat and its answer for each
/// connection, and now and then whom one knows. (Dead seeds are still dialled, but nothing is said to them.)
void Simulation::rest(std::uint64_t beats) {
  const std::size_t nodes = living().size();
  const std::size_t before = network_.sent;
  run(beats * network_.heartbeat);
  if (const std::string wrong = disagreement(network_); !wrong.empty()) fail("all agreed, and then: " + wrong);
  const std::size_t most = nodes * ((beats + 1) * 2 * (nodes - 1) + beats / 10 + 1);
  if (network_.sent - before > most && !shares_names()) {
    fail("no rest: " + std::to_string(nodes) + " nodes sent " + std::to_string(network_.sent - before) +
         " messages in " + std::to_string(beats) + " heartbeats");
  }
  for (const VirtualNode* node : living()) {
    if (!node->machine->introduced()) fail(node->key + " is not introduced");
  }
}

/// A second node of a name that is held does not come in, whatever its incarnation, and nobody else is the
/// worse for it (C-G7).
void Simulation::refuse_newcomer(Random& random) {
  const auto alive = living();
  VirtualNode* place = free_place(random);
  if (alive.size() < 2 || place == nullptr || shares_names()) return;
  const VirtualNode& holder = *alive[random() % alive.size()];
  const VirtualNode& seed = *alive[random() % alive.size()];
  const std::uint64_t incarnation = holder.machine->record().incarnation + random() % 3 - 1;
  say("a second " + holder.options.node + " starts at " + place->key + " with seed " + seed.key);
  const auto left = [&] {
    std::size_t count = 0;
    for (const VirtualNode* node : alive) count += node->left.size();
    return count;
  };
  const std::size_t before = left();
  network_.start(place->key, {seed.key}, std::max<std::uint64_t>(incarnation, 1), {}, holder.options.node);
  for (Duration waited{}; place->alive && waited < kRefusedWithin; waited += kLooks) run(kLooks);
  if (place->alive) return fail("the second " + holder.options.node + " at " + place->key + " was not refused");
  if (place->refused.find(holder.options.registry_address) == std::string::npos)
    return fail("it was not told who holds the name, but: " + place->refused);
  place->refused.clear();  // as it was to be
  run(1s);
  if (const std::string wrong = disagreement(network_); !wrong.empty()) fail("after a newcomer was refused: " + wrong);
  if (left() != before) fail("somebody left because of a newcomer that was refused");
}

}  // namespace busbar::registry::testing
