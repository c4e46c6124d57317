// The table that lookups read.
#include <busbar/registry/service_table.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace busbar::registry {
namespace {

std::shared_ptr<LocalProvider> provider(const std::string& service) {
  return std::make_shared<LocalProvider>(service, "router", Visibility::public_);
}

ServiceTable table_of(const std::vector<std::string>& names) {
  std::vector<ServiceEntry> entries;
  for (const auto& name : names) entries.push_back({name, provider(name)});
  return ServiceTable(std::move(entries));
}

TEST(ServiceTable, FindsNothingWhenItIsEmpty) {
  const ServiceTable table({});
  EXPECT_EQ(table.find("a"), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
  EXPECT_TRUE(table.entries().empty());
}

TEST(ServiceTable, FindsEachNameOfEveryLength) {
  std::vector<std::string> names;
  for (std::size_t size = 1; size <= 255; ++size) names.emplace_back(size, 'a');
  const ServiceTable table = table_of(names);
  for (const auto& name : names) {
    const ServiceEntry* entry = table.find(name);
    ASSERT_NE(entry, nullptr) << name.size();
    EXPECT_EQ(entry->name, name);
    EXPECT_EQ(entry->local->service(), name);
  }
  EXPECT_EQ(table.find(std::string(256, 'a')), nullptr);
  EXPECT_EQ(table.find(std::string(100'000, 'a')), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
}

TEST(ServiceTable, TellsLongNamesApartByTheirLastCharacter) {
  // A slot holds the first 51 characters of a name; the rest decides here.
  for (const std::size_t size : {50u, 51u, 52u, 53u, 64u, 128u, 254u, 255u}) {
    std::vector<std::string> names;
    for (char last = 'a'; last <= 'z'; ++last) names.push_back(std::string(size - 1, 'x') + last);
    const ServiceTable table = table_of(names);
    for (const auto& name : names) {
      const ServiceEntry* entry = table.find(name);
      ASSERT_NE(entry, nullptr) << name;
      EXPECT_EQ(entry->name, name);
    }
    EXPECT_EQ(table.find(std::string(size - 1, 'x') + '_'), nullptr);
    EXPECT_EQ(table.find(std::string(size - 1, 'x')), nullptr);
  }
}

TEST(ServiceTable, FindsTenThousandAndNoneThatIsNotThere) {
  std::vector<std::string> names;
  for (int i = 0; i < 10'000; ++i) names.push_back("service_" + std::to_string(i));
  const ServiceTable table = table_of(names);
  for (const auto& name : names) ASSERT_NE(table.find(name), nullptr) << name;
  for (int i = 10'000; i < 20'000; ++i) {
    const auto* found = table.find("service_" + std::to_string(i));
    ASSERT_EQ(found, nullptr) << i;
  }
}

TEST(ServiceTable, ListsInTheOrderOfNames) {
  const ServiceTable table = table_of({"b", "c", "a", "ab", "a_"});
  std::vector<std::string> names;
  for (const auto& entry : table.entries()) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "a_", "ab", "b", "c"}));
}

}  // namespace
}  // namespace busbar::registry
