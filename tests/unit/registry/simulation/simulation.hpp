// A random schedule, carried out: nodes come, go, die and are cut off as its plan says; whenever it has become quiet,
// what the registry promises must hold.
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "unit/registry/simulation/network.hpp"
#include "unit/registry/simulation/steps.hpp"

namespace busbar::registry::testing {

class Simulation {
 public:
  /// `tells`: the story has all that nodes were told, too.
  explicit Simulation(const Plan& plan, bool tells = false);

  /// What went wrong, in words; nothing, if all held.
  std::string run();
  /// What happened, a line each.
  const std::vector<std::string>& story() const { return story_; }
  /// How long it took from the last fault until all agreed, in each quiet period.
  const std::vector<Duration>& healed_after() const { return healed_after_; }

 private:
  using Random = std::mt19937_64;
  struct Name {
    std::string name;
    std::uint64_t stored = 0;  ///< the incarnation that its node has stored
    bool has_lost_it = false;  ///< once is all that can be told apart
    bool was_shared = false;   ///< there was a second node of that name
  };

  void happen(const Step& step, Random& random);
  void run(Duration time);
  void start_any(Random& random);
  void start(std::size_t name, VirtualNode& place, Random& random);
  void move(VirtualNode& node, Random& random);
  void start_second(const VirtualNode& holder, Random& random);
  bool end_refused();
  void split(Random& random);
  void heal();
  void change_weather(Random& random);
  void cut(VirtualNode& node, Random& random);
  void quiet(Random& random);
  void calm_down();
  std::vector<VirtualNode*> largest_part();
  void connect_all();
  bool agree();
  void rest(std::uint64_t beats);
  void refuse_newcomer(Random& random);

  std::vector<VirtualNode*> living();
  VirtualNode* free_place(Random& random);
  std::size_t count_of(const std::string& name);  // those that live
  bool is_shared(const std::string& name) { return count_of(name) > 1; }
  bool shares_names();
  std::size_t index_of(const std::string& name) const;
  std::uint64_t next_incarnation(Name& name, Random& random);
  std::vector<std::string> seeds_of(const std::string& place, Random& random);
  std::vector<RemoteService> any_services(Random& random);
  bool know_each_other(const VirtualNode& left, const VirtualNode& right) const;
  void say(const std::string& what);
  void fail(const std::string& what);

  const Plan& plan_;
  SimulatedNetwork network_;
  std::vector<Name> names_;
  std::vector<std::string> places_;
  std::set<std::pair<std::string, std::uint32_t>> acquainted_;  // place and life of those that knew all, once
  bool calm_is_ordered_ = true;
  std::uint64_t changes_ = 0;
  std::vector<std::string> story_;
  std::vector<Duration> healed_after_;
  std::string failure_;
};

}  // namespace busbar::registry::testing
