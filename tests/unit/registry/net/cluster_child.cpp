// A node in a process of its own, for tests that kill it: cluster_child NAME SEED INCARNATION SERVICE ADVERTISE
// Says its address, and ends when its standard input does. ADVERTISE may be empty.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "unit/registry/net/cluster_node.hpp"

int main(int argc, char** argv) {
  using busbar::testing::ClusterNode;
  if (argc != 6) return 2;
  auto options = ClusterNode::options(argv[1], {argv[2]}, std::stoull(argv[3]));
  options.advertise = argv[5];
  ClusterNode node(std::move(options));
  node.offer("router", {argv[4]});
  node.cluster().start();
  std::puts(node.address().c_str());
  std::fflush(stdout);
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
