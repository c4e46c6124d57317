// Which key is expected at an address.
#include "net/server_keys.hpp"

#include <gtest/gtest.h>

namespace busbar::registry::net {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSeed = "tcp://10.0.0.1:7101";

TEST(ServerKeysTest, NotSoManyAreTriedInAMinuteThatTheOtherShutsThisOneOut) {
  ServerKeys keys;
  Time now{1h};
  unsigned tried = 0;
  while (keys.may_try_another(kSeed, now)) ++tried;
  EXPECT_GT(tried, 100U);
  EXPECT_LT(tried, 600U) << "limits.protocol_errors";
  EXPECT_TRUE(keys.may_try_another("tcp://10.0.0.2:7101", now)) << "each address for itself";
  now += 59s;
  EXPECT_FALSE(keys.may_try_another(kSeed, now));
  now += 1s;
  EXPECT_TRUE(keys.may_try_another(kSeed, now));
}

}  // namespace
}  // namespace busbar::registry::net
