// The plan of a random schedule: from one seed, how large the cluster is and what happens to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace busbar::registry::testing {

enum class Fault : std::uint8_t {
  start,       ///< a node that does not run starts
  change,      ///< its services change
  crash,       ///< its process is killed
  restart,     ///< and started again at once, in the same place
  move,        ///< the same in another place
  switch_off,  ///< its machine is: nobody is told
  leave,       ///< in order
  freeze,      ///< its process is stopped
  wake,        ///< all that are stopped go on
  split,       ///< the network falls into parts; connections are silent
  split_loud,  ///< the same; whoever holds a connection is told that it has ended
  heal,        ///< all reach all
  weather,     ///< messages are slow, lost, doubled or in disorder from now on, or none of that
  one_way,     ///< most messages of one node to another are lost
  cut,         ///< the connections of two nodes end
  second,      ///< another node starts under a name that is held
  quiet        ///< faults end, until all agree
};

/// What becomes of it depends on what is there when it happens, and on its own number.
struct Step {
  Fault fault = Fault::quiet;
  std::chrono::milliseconds pause{};  ///< afterwards
  std::uint64_t random = 0;
};

struct Plan {
  std::uint64_t seed = 0;
  std::size_t names = 0;  ///< nodes that there may be, 3 to 12
  bool encodes = false;   ///< messages travel as bytes
  std::vector<Step> steps;
};

Plan plan_of(std::uint64_t seed);

}  // namespace busbar::registry::testing
