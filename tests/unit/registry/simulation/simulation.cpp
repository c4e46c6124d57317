#include "unit/registry/simulation/simulation.hpp"

#include <algorithm>

namespace busbar::registry::testing {
namespace {

constexpr std::size_t kSeeds = 3;        // the first places are others' seeds
constexpr std::size_t kSparePlaces = 3;  // more places than names
// Messages from one node to another, each way of theirs counted: far more than there should be.
constexpr std::size_t kAfterAFault = 100;
constexpr std::size_t kInASecond = 20;
constexpr std::uint64_t kClockStart = 1'000'000;  // in ms; far above what a clock is set back to

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += " " + word;
  return text;
}

}  // namespace

Simulation::Simulation(const Plan& plan, bool tells) : plan_(plan), network_(plan.seed) {
  Random random(plan.seed + 1);
  for (std::size_t i = 0; i < plan.names; ++i) names_.push_back({.name = "n" + std::to_string(i)});
  for (std::size_t i = 0; i < plan.names + kSparePlaces; ++i) {
    places_.push_back("p" + std::to_string(i));
    network_.place(places_.back()).clock = std::chrono::milliseconds(random() % 100'000'000);
  }
  network_.place("dark").is_off = true;
  network_.encodes = plan.encodes;
  calm_is_ordered_ = random() % 4 != 0;
  if (tells) network_.on_event = [this](const std::string& what) { story_.push_back("    " + what); };
  calm_down();
}

std::string Simulation::run() {
  for (const Step& step : plan_.steps) {
    Random random(step.random);
    happen(step, random);
    run(step.pause);
    end_refused();
    if (!failure_.empty()) break;
  }
  return failure_;
}

/// Nodes must not talk each other into more and more: what they say is bounded.
void Simulation::run(Duration time) {
  const std::size_t pairs = living().size() * living().size();
  const auto seconds = static_cast<std::size_t>(time / 1s);
  network_.most_sent = network_.sent + pairs * (kAfterAFault + kInASecond * seconds);
  network_.run(time);
  if (!network_.violations.empty()) fail(network_.violations.front());
}

void Simulation::happen(const Step& step, Random& random) {
  const auto alive = living();
  if (step.fault == Fault::quiet) return quiet(random);
  if (step.fault == Fault::start || alive.empty()) return start_any(random);
  VirtualNode& node = *alive[random() % alive.size()];
  const std::string who = node.options.node + " at " + node.key;
  switch (step.fault) {
    case Fault::crash:
      say(who + " is killed");
      return network_.crash(node.key);
    case Fault::restart:
      say(who + " is killed");
      network_.crash(node.key);
      return start(index_of(node.options.node), node, random);
    case Fault::move:
      return move(node, random);
    case Fault::switch_off:
      say(who + " is switched off");
      return network_.switch_off(node.key);
    case Fault::leave:
      say(who + " leaves");
      return network_.leave(node.key);
    case Fault::freeze:
      say(who + " is frozen");
      return network_.freeze(node.key);
    case Fault::wake:
      say("all wake");
      for (VirtualNode* one : alive) {
        if (one->frozen) network_.wake(one->key);
      }
      return;
    case Fault::split:
      return split(random);
    case Fault::split_loud:
      split(random);
      network_.borders_refuse = random() % 2 == 0;
      say(network_.borders_refuse ? "all are told" : "who is connected is told");
      return network_.cut_borders();
    case Fault::heal:
      return heal();
    case Fault::weather:
      return change_weather(random);
    case Fault::one_way: {
      const VirtualNode& to = *alive[random() % alive.size()];
      const double part = random() % 2 == 0 ? 1.0 : 0.5;
      say(std::to_string(static_cast<int>(100 * part)) + " % from " + who + " to " + to.key + " is lost");
      return network_.lose(node.key, to.key, part);
    }
    case Fault::cut:
      return cut(node, random);
    case Fault::second:
      return start_second(node, random);
    case Fault::change:
    default:
      say(who + " changes its services");
      return network_.change(node.key, any_services(random));
  }
}

void Simulation::start_any(Random& random) {
  const std::size_t first = random() % names_.size();
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const std::size_t name = (first + i) % names_.size();
    if (count_of(names_[name].name) != 0) continue;
    VirtualNode& home = network_[places_[name]];
    VirtualNode* place = home.alive ? free_place(random) : &home;
    if (place != nullptr) start(name, *place, random);
    return;
  }
}

void Simulation::start(std::size_t index, VirtualNode& place, Random& random) {
  Name& name = names_[index];
  const std::uint64_t incarnation = next_incarnation(name, random);
  const auto seeds = seeds_of(place.key, random);
  say(name.name + " starts at " + place.key + " as " + std::to_string(incarnation) + ", seeds:" + listed(seeds));
  network_.start(place.key, seeds, incarnation, any_services(random), name.name);
}

/// Its process ends, or its machine does, and it starts elsewhere.
void Simulation::move(VirtualNode& node, Random& random) {
  const std::size_t name = index_of(node.options.node);
  VirtualNode* elsewhere = free_place(random);
  const bool is_told = random() % 3 != 0;
  say(node.options.node + " at " + node.key + (is_told ? " is killed" : " is switched off"));
  is_told ? network_.crash(node.key) : network_.switch_off(node.key);
  start(name, elsewhere != nullptr ? *elsewhere : node, random);
}

/// Its own machine has another clock. One name at a time: the losers of several would let each other in, without those
/// that are routed to, and outbid them (docs/decisions/0017).
void Simulation::start_second(const VirtualNode& holder, Random& random) {
  VirtualNode* place = free_place(random);
  if (place == nullptr || shares_names()) return;
  names_[index_of(holder.options.node)].was_shared = true;
  const auto seeds = seeds_of(place->key, random);
  const std::uint64_t incarnation = holder.machine->record().incarnation + random() % 3 - 1 + random() % 2 * 1'000;
  say("a second " + holder.options.node + " starts at " + place->key + " as " + std::to_string(incarnation) +
      ", seeds:" + listed(seeds));
  network_.start(place->key, seeds, std::max<std::uint64_t>(incarnation, 1), any_services(random), holder.options.node);
}

/// Only a second node may be refused, and only one that has never been a member. True: one was.
bool Simulation::end_refused() {
  bool is_any = false;
  for (VirtualNode& node : network_.nodes()) {
    if (node.refused.empty()) continue;
    is_any = true;
    if (node.machine->established() || !names_[index_of(node.options.node)].was_shared)
      fail(node.options.node + " at " + node.key + " was refused: " + node.refused);
    node.refused.clear();
  }
  return is_any;
}

void Simulation::split(Random& random) {
  const std::uint64_t groups = 2 + random() % 2;
  std::string text = "the network is split:";
  for (VirtualNode& node : network_.nodes()) {
    node.group = static_cast<int>(random() % groups);
    text += " " + node.key + "|" + std::to_string(node.group);
  }
  network_.borders_refuse = false;
  say(text);
}

void Simulation::heal() {
  say("the network is whole");
  for (VirtualNode& node : network_.nodes()) node.group = 0;
  network_.lose_nothing();
}

void Simulation::change_weather(Random& random) {
  Weather& weather = network_.weather;
  weather = {};
  weather.most += std::chrono::milliseconds(1 + random() % (random() % 2 == 0 ? 30 : 300));
  if (random() % 2 == 0) weather.loss = static_cast<double>(random() % 30) / 100;
  if (random() % 2 == 0) weather.duplication = 0.1;
  if (random() % 2 == 0) weather.slow = 0.02;
  weather.ordered = random() % 2 == 0;
  say("weather: up to " + std::to_string(weather.most / 1ms) + " ms, lost " + std::to_string(weather.loss) +
      ", doubled " + std::to_string(weather.duplication) + ", slow " + std::to_string(weather.slow) +
      (weather.ordered ? "" : ", in disorder"));
}

void Simulation::cut(VirtualNode& node, Random& random) {
  const auto alive = living();
  const VirtualNode& other = *alive[random() % alive.size()];
  const auto told = static_cast<SimulatedNetwork::Told>(random() % 3);
  static constexpr const char* kWho[] = {"both are", "who dialled is", "who was dialled is"};
  const bool both = random() % 2 == 0;
  say("the connection from " + node.key + " to " + other.key + (both ? ", and that back," : "") + " ends; " +
      kWho[static_cast<int>(told)] + " told");
  network_.cut(node.key, other.key, told);
  if (both) network_.cut(other.key, node.key, told);
}

// -- nodes

std::vector<VirtualNode*> Simulation::living() {
  std::vector<VirtualNode*> alive;
  for (VirtualNode& node : network_.nodes()) {
    if (node.alive) alive.push_back(&node);
  }
  return alive;
}

/// Null: there is none.
VirtualNode* Simulation::free_place(Random& random) {
  std::vector<VirtualNode*> free;
  for (const std::string& key : places_) {
    if (!network_[key].alive) free.push_back(&network_[key]);
  }
  return free.empty() ? nullptr : free[random() % free.size()];
}

std::size_t Simulation::count_of(const std::string& name) {
  const auto alive = living();
  return static_cast<std::size_t>(
      std::count_if(alive.begin(), alive.end(), [&](const VirtualNode* node) { return node->options.node == name; }));
}

bool Simulation::shares_names() {
  return std::any_of(names_.begin(), names_.end(), [&](const Name& name) { return is_shared(name.name); });
}

std::size_t Simulation::index_of(const std::string& name) const { return std::stoul(name.substr(1)); }

/// As a host does it: the greater of its clock and of what it stored last plus one. The clock may be set back, and what
/// was stored be lost; not twice, as a number could be used twice then.
std::uint64_t Simulation::next_incarnation(Name& name, Random& random) {
  for (const VirtualNode& node : network_.nodes()) {
    if (node.options.node != name.name) continue;
    for (const std::uint64_t raised : node.raised) name.stored = std::max(name.stored, raised);
  }
  const std::uint64_t clock = kClockStart + static_cast<std::uint64_t>((network_.now() - Time{}) / 1ms);
  const bool is_set_back = random() % 4 == 0;
  const bool is_lost = is_set_back && random() % 2 == 0 && !std::exchange(name.has_lost_it, true);
  const std::uint64_t next = is_lost ? 1 + random() % 1'000 : std::max(is_set_back ? 0 : clock, name.stored + 1);
  name.stored = next;
  return next;
}

/// Each has one of the first places at least; and those have all that come before them. Some are dead for ever.
std::vector<std::string> Simulation::seeds_of(const std::string& place, Random& random) {
  std::vector<std::string> seeds;
  const auto own = static_cast<std::size_t>(std::find(places_.begin(), places_.end(), place) - places_.begin());
  for (std::size_t i = 0; i < kSeeds; ++i) {
    const bool is_seed = own < kSeeds ? i < own || random() % 4 == 0 : random() % 2 == 0;
    if (is_seed) seeds.push_back(places_[i]);
  }
  if (seeds.empty() && place != places_[0]) seeds.push_back(places_[random() % kSeeds]);
  if (!seeds.empty() && random() % 4 == 0) seeds.push_back("nowhere");
  if (!seeds.empty() && random() % 4 == 0) seeds.push_back("dark");
  if (!seeds.empty() && random() % 8 == 0) seeds.push_back("alias-" + seeds.front());
  std::shuffle(seeds.begin(), seeds.end(), random);
  return seeds;
}

std::vector<RemoteService> Simulation::any_services(Random& random) {
  std::vector<RemoteService> services;
  const std::uint64_t which = random();
  for (int i = 0; i < 6; ++i) {
    if ((which >> i) % 2 == 0) continue;
    services.push_back({.name = "s" + std::to_string(i), .router = "r" + std::to_string(++changes_)});
  }
  return services;
}

void Simulation::say(const std::string& what) {
  story_.push_back(std::to_string((network_.now() - Time{} - 1h) / 1ms) + " ms: " + what);
}

void Simulation::fail(const std::string& what) {
  if (!failure_.empty()) return;
  failure_ = what;
  say("FAILED: " + what);
}

}  // namespace busbar::registry::testing
