// What is an address, who can reach it, and what others are told (Z19).
#include <gtest/gtest.h>

#include "busbar/registry/net/socket.hpp"

namespace busbar::registry::net {
namespace {

TEST(Addresses, ToConnectToNeedAHostAndAPort) {
  for (const char* good : {"tcp://127.0.0.1:4711", "tcp://node-1.example.org:1", "tcp://[::1]:65535", "tcp://a_b:9",
                           "ipc:///run/busbar/x", "ipc://@abstract"}) {
    EXPECT_TRUE(is_address(good, false)) << good;
  }
  for (const char* bad : {"",
                          "tcp://",
                          "tcp://:1",
                          "tcp://host",
                          "tcp://host:",
                          "tcp://host:0",
                          "tcp://host:*",
                          "tcp://*:1",
                          "tcp://0.0.0.0:1",
                          "tcp://[::]:1",
                          "tcp://host:65536",
                          "tcp://host:1x",
                          "tcp://host:-1",
                          "tcp://host: 1",
                          "tcp://::1:80",
                          "tcp://[::1:80",
                          "tcp://[host]:80",
                          "tcp://a b:80",
                          "tcp://a;b:80",
                          "tcp://a:1;b:2",
                          "ipc://",
                          "inproc://x",
                          "udp://host:1",
                          "host:1",
                          "tcp://host:1/",
                          "TCP://host:1",
                          "tcp://host:99999999999999999999"}) {
    EXPECT_FALSE(is_address(bad, false)) << bad;
  }
  EXPECT_FALSE(is_address(std::string("tcp://host\0:1", 13), false));
  EXPECT_FALSE(is_address("ipc://" + std::string(108, 'x'), false)) << "longer than a Unix socket's name may be";
}

TEST(Addresses, ToBindToMayHaveAStarAsHostOrPort) {
  for (const char* good :
       {"tcp://*:*", "tcp://*:1", "tcp://0.0.0.0:*", "tcp://[::]:0", "tcp://127.0.0.1:*", "tcp://eth0:1"}) {
    EXPECT_TRUE(is_address(good, true)) << good;
  }
  for (const char* bad : {"tcp://:*", "tcp://**:1", "tcp://*", "*", ""}) EXPECT_FALSE(is_address(bad, true)) << bad;
}

TEST(Addresses, OfTheLoopbackAndUnixSocketsAreLocal) {
  for (const char* local : {"tcp://127.0.0.1:1", "tcp://127.9.9.9:1", "tcp://[::1]:1", "tcp://localhost:1",
                            "tcp://[::ffff:127.0.0.1]:1", "ipc:///x"}) {
    EXPECT_TRUE(is_local_address(local)) << local;
  }
  for (const char* other : {"tcp://0.0.0.0:1", "tcp://*:1", "tcp://10.0.0.1:1", "tcp://[::]:1", "tcp://[2001:db8::1]:1",
                            "tcp://127.example.org:1", "tcp://localhost.example.org:1", ""}) {
    EXPECT_FALSE(is_local_address(other)) << other;
  }
}

TEST(Addresses, WithANameAreToldFromThoseOfIPAddresses) {
  for (const char* named : {"tcp://localhost:1", "tcp://node-1.example.org:1", "tcp://127.example:1", "tcp://a_b:9"}) {
    EXPECT_TRUE(has_name(named)) << named;
  }
  for (const char* other : {"tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://[fe80::1%eth0]:1", "tcp://*:1", "ipc:///run/x",
                            "ipc://x", "", "host:1"}) {
    EXPECT_FALSE(has_name(other)) << other;
  }
  EXPECT_EQ(host_of("tcp://node:1"), "node");
  EXPECT_EQ(host_of("tcp://[::1]:1"), "::1");
  EXPECT_EQ(with_host("tcp://node:4711", "10.0.0.1"), "tcp://10.0.0.1:4711");
  EXPECT_EQ(with_host("tcp://node:4711", "fd00::1"), "tcp://[fd00::1]:4711");
  EXPECT_TRUE(is_address(with_host("tcp://node:4711", "fe80::1%eth0"), false));
}

TEST(Addresses, AdvertisedKeepTheBoundPort) {
  EXPECT_EQ(advertised_address("tcp://127.0.0.1:4711", ""), "tcp://127.0.0.1:4711");
  EXPECT_EQ(advertised_address("tcp://0.0.0.0:4711", "node1"), "tcp://node1:4711");
  EXPECT_EQ(advertised_address("tcp://127.0.0.1:4711", "10.0.0.1"), "tcp://10.0.0.1:4711");
  EXPECT_EQ(advertised_address("tcp://[::]:4711", "2001:db8::1"), "tcp://[2001:db8::1]:4711");
  EXPECT_EQ(advertised_address("tcp://[::]:4711", "[2001:db8::1]"), "tcp://[2001:db8::1]:4711");
  EXPECT_EQ(advertised_address("ipc:///run/x", "node1"), "ipc:///run/x");
}

TEST(Addresses, Z19_AWildcardIsNeverAdvertised) {
  for (const char* bound : {"tcp://0.0.0.0:4711", "tcp://[::]:4711", "tcp://*:4711"}) {
    const std::string told = advertised_address(bound, "");
    EXPECT_TRUE(is_address(told, false)) << told;
    EXPECT_TRUE(told.ends_with(":4711")) << told;
  }
}

TEST(Addresses, AdvertisedWithWhatIsNoHostAreAnError) {
  for (const char* bad : {"node:80", "tcp://node", "0.0.0.0", "*", "::", "a b", "[node]:1", "node/"}) {
    EXPECT_THROW(advertised_address("tcp://127.0.0.1:1", bad), SocketError) << bad;
  }
}

}  // namespace
}  // namespace busbar::registry::net
