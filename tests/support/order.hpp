// A request that can find itself invalid, for tests of messages.
#pragma once

#include <busbar/cbor/cbor.hpp>
#include <busbar/problems.hpp>

#include <string>

namespace busbar::testing {

struct Order {
  std::string item;
  int amount = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(item), CEREAL_NVP(amount));
  }
  void validate(Problems& problems) const {
    if (item.empty()) problems.add("item", "a name");
    if (amount < 1) problems.add("amount", "1 or more", std::to_string(amount));
  }
};

}  // namespace busbar::testing
