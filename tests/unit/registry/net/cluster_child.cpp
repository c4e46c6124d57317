// A node in a process of its own, for tests that kill it: cluster_child NAME SEED INCARNATION SERVICE
// Says its address, and ends when its standard input does.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "unit/registry/net/cluster_node.hpp"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  busbar::testing::ClusterNode node(argv[1], {argv[2]}, std::stoull(argv[3]));
  node.offer("router", {argv[4]});
  std::puts(node.address().c_str());
  std::fflush(stdout);
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
