// A network of two machines, as far as the kernel can tell, whose cable can be cut.
#pragma once

#include <string>

#include "support/machine.hpp"

namespace busbar::testing {

class CutNetwork {
 public:
  CutNetwork() {
    problem_ = near.problem();
    if (!problem_.empty()) return;
    const bool made = near.command("ip link add near type veth peer name far netns " + far.path()) &&
                      near.command("ip address add 10.1.1.1/24 dev near && ip link set near up") &&
                      far.command("ip address add 10.1.1.2/24 dev far && ip link set far up");
    if (!made) problem_ = "two network namespaces cannot be joined here: that takes ip(8) and veth pairs";
  }

  /// Why there is none: then the test is to be skipped. Empty: it stands.
  const std::string& problem() const { return problem_; }
  /// From here on every packet is lost, and nobody is told.
  bool cut() const { return far.command("ip link set far down"); }

  static constexpr const char* kFarAddress = "tcp://10.1.1.2:*";

  const Machine near, far;

 private:
  std::string problem_;
};

}  // namespace busbar::testing
