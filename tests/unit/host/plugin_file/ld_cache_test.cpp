#include "plugins/file/ld_cache.hpp"

#include <cstring>
#include <random>

#include "support.hpp"

namespace busbar::host {
namespace {

using testing::Bytes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

void put(Bytes& out, std::uint32_t value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof value);
  std::memcpy(out.data() + at, &value, sizeof value);
}

void put(Bytes& out, std::string_view text) {
  const std::size_t at = out.size();
  out.resize(at + text.size());
  std::memcpy(out.data() + at, text.data(), text.size());
}

/// A list as ldconfig writes it, of (soname, path) pairs.
Bytes list(const std::vector<std::pair<std::string, std::string>>& entries) {
  Bytes out;
  std::string texts;
  const auto first_text = static_cast<std::uint32_t>(48 + 24 * entries.size());
  put(out, "glibc-ld.so.cache1.1");
  put(out, static_cast<std::uint32_t>(entries.size()));
  out.resize(48);
  for (const auto& [soname, path] : entries) {
    put(out, std::uint32_t{0x303});
    put(out, first_text + static_cast<std::uint32_t>(texts.size()));
    texts += soname + '\0';
    put(out, first_text + static_cast<std::uint32_t>(texts.size()));
    texts += path + '\0';
    out.resize(out.size() + 12);
  }
  put(out, texts);
  return out;
}

const std::vector<std::pair<std::string, std::string>> kEntries = {
    {"libb.so.1", "/x/libb.so.1"}, {"liba.so.1", "/first/liba.so.1"}, {"liba.so.1", "/second/liba.so.1"}};

TEST(LdCache, FindsEveryPlaceOfASoname) {
  const LdCache cache(list(kEntries));
  EXPECT_THAT(cache.find("liba.so.1"), ElementsAre("/first/liba.so.1", "/second/liba.so.1"));
  EXPECT_THAT(cache.find("liba.so"), IsEmpty());
}

TEST(LdCache, SkipsTheOlderFormatInFront) {
  Bytes bytes;
  put(bytes, "ld.so-1.7.0");
  bytes.resize(12);
  put(bytes, std::uint32_t{3});
  bytes.resize(16 + 3 * 12);
  bytes.resize((bytes.size() + 7) / 8 * 8);
  const Bytes rest = list(kEntries);
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  EXPECT_THAT(LdCache(bytes).find("libb.so.1"), ElementsAre("/x/libb.so.1"));
}

TEST(LdCache, KnowsNothingWhenItIsNoCache) {
  EXPECT_THAT(LdCache(Bytes{}).find(""), IsEmpty());
  EXPECT_THAT(LdCache(Bytes(100, 0)).find("x"), IsEmpty());
}

TEST(LdCache, KnowsTheSystemsOwnLibraries) {
  if (!std::filesystem::exists("/etc/ld.so.cache")) GTEST_SKIP() << "this system has no list";
  EXPECT_FALSE(LdCache::of_system().find("libc.so.6").empty());
}

TEST(LdCache, NeverReadsBeyondItsBytes) {
  std::mt19937 random(7);
  const Bytes whole = list(kEntries);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    bytes.shrink_to_fit();
    LdCache(bytes).find("liba.so.1");
    bytes = whole;
    bytes[size] = static_cast<std::uint8_t>(random());
    LdCache(bytes).find("liba.so.1");
  }
}

}  // namespace
}  // namespace busbar::host
