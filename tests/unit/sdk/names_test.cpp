// The rules for names, codes and ids, at their boundaries; and new ids.
#include <busbar/message_id.hpp>
#include <busbar/names.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <unordered_set>

namespace busbar {
namespace {

TEST(Names, AServiceIsALowerCaseWordOfUpTo255) {
  for (const std::string name : {"a", "a1", "a_", "create_invoice", "z9_z9"}) EXPECT_TRUE(is_service_name(name));
  EXPECT_TRUE(is_service_name(std::string(255, 'a')));
  EXPECT_FALSE(is_service_name(std::string(256, 'a')));
  for (const std::string name : {"", "1a", "_a", "A", "aB", "a-b", "a.b", "a b", "ä", "a\n"}) {
    EXPECT_FALSE(is_service_name(name)) << name;
  }
  EXPECT_FALSE(is_service_name(std::string("a\0b", 3)));
}

TEST(Names, ANodeIsUpTo63AndNeverLocal) {
  for (const std::string name : {"a", "A", "9", "node-1.example.org", "a_b", "Local", "local1", "LOCAL"}) {
    EXPECT_TRUE(is_node_name(name)) << name;
  }
  EXPECT_TRUE(is_node_name(std::string(63, 'n')));
  EXPECT_FALSE(is_node_name(std::string(64, 'n')));
  for (const std::string name : {"", "local", "-a", ".a", "_a", "a b", "a/b", "ä", "a:b"}) {
    EXPECT_FALSE(is_node_name(name)) << name;
  }
}

TEST(Names, APluginIsNamedLikeANodeAndMayBeCalledLocal) {
  EXPECT_TRUE(is_plugin_name("local"));
  EXPECT_TRUE(is_plugin_name(std::string(63, 'p')));
  EXPECT_FALSE(is_plugin_name(std::string(64, 'p')));
  EXPECT_FALSE(is_plugin_name(""));
}

TEST(Names, AnErrorCodeIsALowerCaseWordOfUpTo64) {
  EXPECT_TRUE(is_error_code("no_nodes_available"));
  EXPECT_TRUE(is_error_code(std::string(64, 'c')));
  EXPECT_FALSE(is_error_code(std::string(65, 'c')));
  for (const std::string code : {"", "Bad", "1", "_a", "a-b"}) EXPECT_FALSE(is_error_code(code)) << code;
}

TEST(Names, AMessageIdIsOneTo128UrlSafeCharacters) {
  EXPECT_TRUE(is_message_id("-"));
  EXPECT_TRUE(is_message_id("_a-Z9"));
  EXPECT_TRUE(is_message_id(std::string(128, 'i')));
  EXPECT_FALSE(is_message_id(std::string(129, 'i')));
  for (const std::string id : {"", "a b", "a/b", "a+b", "a=", "a.b", "ä"}) EXPECT_FALSE(is_message_id(id)) << id;
}

TEST(MessageId, C_M2_AHundredThousandAreUniqueAndUrlSafe) {
  std::unordered_set<std::string> ids;
  for (int i = 0; i < 100'000; ++i) {
    const Text id = new_message_id();
    ASSERT_EQ(id.view().size(), 22u);
    ASSERT_TRUE(is_message_id(id.view())) << id.view();
    ASSERT_TRUE(ids.emplace(id.view()).second) << id.view();
  }
}

TEST(MessageId, C_M2_ThoseOfSeveralThreadsAreUniqueTogether) {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& mine : made) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 10'000; ++i) mine.emplace_back(new_message_id().view());
    });
  }
  for (auto& thread : threads) thread.join();
  std::unordered_set<std::string> ids;
  for (const auto& mine : made) ids.insert(mine.begin(), mine.end());
  EXPECT_EQ(ids.size(), 40'000u);
}

TEST(MessageId, UsesEveryCharacterAtEveryPlaceButTheLast) {
  // 128 bits: 21 whole characters of six bits, and two bits.
  std::vector<std::set<char>> seen(22);
  for (int i = 0; i < 10'000; ++i) {
    const Text id = new_message_id();
    for (std::size_t k = 0; k < 22; ++k) seen[k].insert(id.view()[k]);
  }
  for (std::size_t k = 0; k < 21; ++k) EXPECT_EQ(seen[k].size(), 64u) << k;
  EXPECT_EQ(seen[21].size(), 4u);
}

}  // namespace
}  // namespace busbar
