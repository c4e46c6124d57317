// Bytes from somebody who means harm.
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <variant>

#include "unit/sdk/cbor/support.hpp"

// The memory that this program holds is counted, so that a test can say how much a payload made us take.
namespace {
std::atomic<std::size_t> held_bytes{0};
std::atomic<std::size_t> most_held_bytes{0};
std::atomic<std::size_t> allocations{0};
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* memory = std::malloc(size != 0 ? size : 1);
  if (memory == nullptr) return nullptr;
  ++allocations;
  const std::size_t held = held_bytes += malloc_usable_size(memory);
  if (held > most_held_bytes) most_held_bytes = held;
  return memory;
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  if (memory != nullptr) held_bytes -= malloc_usable_size(memory);
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace hostile {

struct Inner {
  std::string text;
  std::vector<std::uint8_t> bytes;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(text), CEREAL_NVP(bytes));
  }
};
BUSBAR_VARIANT_NAME(Inner, "inner");

/// A bit of everything.
struct Everything {
  std::string name = "a name";
  std::int64_t id = -77;
  double amount = 2.5;
  std::optional<bool> flag = true;
  std::vector<Inner> inners = {{"one", {1, 2}}, {"two", {}}};
  std::map<std::string, std::vector<int>> numbers = {{"a", {1, 2, 300}}, {"b", {}}};
  std::pair<int, float> pair{1, 2.0f};
  std::variant<std::string, Inner> choice = Inner{"three", {3}};
  std::chrono::system_clock::time_point time;
  nlohmann::json json = {{"deep", {{"er", {1, nullptr, "x"}}}}};
  std::unique_ptr<Everything> more;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(name), CEREAL_NVP(id), CEREAL_NVP(amount), CEREAL_NVP(flag), CEREAL_NVP(inners), CEREAL_NVP(numbers));
    ar(CEREAL_NVP(pair), CEREAL_NVP(choice), CEREAL_NVP(time), CEREAL_NVP(json), CEREAL_NVP(more));
  }
};

struct Node {
  std::vector<Node> children;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(children));
  }
};

}  // namespace hostile

namespace busbar {
namespace {

using namespace busbar::testing;
using hostile::Everything;
using ::testing::HasSubstr;

Bytes sample() {
  Everything everything;
  everything.more = std::make_unique<Everything>();
  return encoded(everything);
}

/// Reads the bytes in every way there is. Whatever they are, the outcome is one of our exceptions, or none.
void read_every_way(std::span<const std::uint8_t> bytes) {
  const auto tolerate = [](auto action) {
    try {
      action();
    } catch (const MalformedPayload&) {
    } catch (const DecodeError&) {
    } catch (const NotJson&) {
    }
  };
  tolerate([&] { cbor::check_well_formed(bytes); });
  tolerate([&] { cbor::decode<Everything>(bytes); });
  tolerate([&] { cbor::to_json(bytes); });
  tolerate([&] { cbor::find_field(bytes, "name"); });
}

TEST(CborInput, RefusesEveryTruncationOfAGoodPayload) {
  const Bytes good = sample();
  EXPECT_NO_THROW(cbor::decode<Everything>(good));
  for (std::size_t size = 0; size < good.size(); ++size) {
    // A copy of just that size, so that a sanitizer sees a step too far.
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(cbor::check_well_formed(cut), MalformedPayload) << size;
    EXPECT_THROW(cbor::decode<Everything>(cut), MalformedPayload) << size;
    EXPECT_THROW(cbor::to_json(cut), MalformedPayload) << size;
    if (size != 0) {
      EXPECT_THROW(cbor::find_field(cut, "name"), MalformedPayload) << size;
    }
  }
}

TEST(CborInput, RefusesALengthBeyondTheInput) {
  for (const char* head : {"5b", "7b", "9b", "bb"}) {
    for (const char* length : {"1000000000000000", "ffffffffffffffff", "8000000000000000", "0000000000000009"}) {
      Bytes bytes = hex(std::string(head) + length);
      bytes.insert(bytes.end(), {0x61, 0x61, 0x01});
      EXPECT_THROW(cbor::check_well_formed(bytes), MalformedPayload) << head << length;
      EXPECT_THROW(decoded<std::string>(bytes), MalformedPayload);
      EXPECT_THROW(decoded<Bytes>(bytes), MalformedPayload);
      EXPECT_THROW(decoded<std::vector<int>>(bytes), MalformedPayload);
      EXPECT_THROW((decoded<std::map<std::string, int>>(bytes)), MalformedPayload);
      EXPECT_THROW(decoded<Everything>(bytes), MalformedPayload);
      EXPECT_THROW(cbor::to_json(bytes), MalformedPayload);
    }
  }
}

TEST(CborInput, RefusesAMillionOpenBrackets) {
  // Arrays, maps with a key, tags; definite and indefinite.
  for (const char* bracket : {"81", "9f", "a1 61 61", "bf 61 61", "c1", "82 00", "a1 64 6d6f7265"}) {
    const Bytes one = hex(bracket);
    Bytes bytes;
    for (int i = 0; i < 1'000'000; ++i) bytes.insert(bytes.end(), one.begin(), one.end());
    EXPECT_THROW(cbor::check_well_formed(bytes), MalformedPayload) << bracket;
    EXPECT_THROW(cbor::decode<Everything>(bytes), MalformedPayload) << bracket;
    EXPECT_THROW(cbor::decode<hostile::Node>(bytes), MalformedPayload) << bracket;
    EXPECT_THROW(cbor::decode<std::vector<std::vector<int>>>(bytes), MalformedPayload) << bracket;
    EXPECT_THROW(cbor::to_json(bytes), MalformedPayload) << bracket;
  }
}

TEST(CborInput, RefusesNestingFromSixtyFiveOn) {
  const auto nested = [](int depth) {
    Bytes bytes(static_cast<std::size_t>(depth), 0x81);
    bytes.push_back(0x00);
    return bytes;
  };
  EXPECT_NO_THROW(cbor::check_well_formed(nested(64)));
  EXPECT_NO_THROW(cbor::to_json(nested(64)));
  EXPECT_NO_THROW(decoded<nlohmann::json>(nested(64)));
  EXPECT_THAT(message_of<MalformedPayload>([&] { cbor::check_well_formed(nested(65)); }),
              HasSubstr("nested deeper than 64"));
  EXPECT_THROW(cbor::to_json(nested(65)), MalformedPayload);
  EXPECT_THROW(decoded<nlohmann::json>(nested(65)), MalformedPayload);
  Bytes tags(64, 0xc1);
  tags.push_back(0x00);
  EXPECT_EQ(decoded<int>(tags), 0);
  tags.insert(tags.begin(), 0xc1);
  EXPECT_THROW(decoded<int>(tags), MalformedPayload);
  EXPECT_THROW(cbor::check_well_formed(tags), MalformedPayload);
}

TEST(CborInput, RefusesWhatFollowsTheItem) {
  EXPECT_THROW(cbor::check_well_formed(hex("00 00")), MalformedPayload);
  EXPECT_THROW(decoded<int>(hex("00 00")), MalformedPayload);
  EXPECT_THROW(cbor::to_json(hex("00 00")), MalformedPayload);
}

TEST(CborInput, RefusesHeadsThatCborDoesNotKnow) {
  for (const char* bytes : {"1c",       "1d",          "1e",          "1f",
                            "3f",       "df 00",       "5c",          "fc",
                            "fd",       "fe",          "f8 00",       "f8 1f",
                            "ff",       "81 ff",       "a1 61 61 ff", "bf 61 61 ff",
                            "5f 00 ff", "5f 61 61 ff", "7f 41 61 ff", "7f 7f 61 61 ff ff",
                            "c0 ff",    "5f",          "7f 61 61",    ""})
    EXPECT_THROW(cbor::check_well_formed(hex(bytes)), MalformedPayload) << bytes;
}

TEST(CborInput, RefusesACharacterSplitBetweenPieces) {
  EXPECT_THROW(decoded<std::string>(hex("7f 61 c3 61 bc ff")), MalformedPayload);
  EXPECT_EQ(decoded<std::string>(hex("7f 62 c3bc 60 61 61 ff")), "üa");
}

TEST(CborInput, FindsAKeyThatComesTwiceAmongMany) {
  Bytes bytes = hex("b9 03e9");
  const auto add = [&](int number) {
    const std::string key = std::to_string(number);
    bytes.push_back(static_cast<std::uint8_t>(0x60 + key.size()));
    bytes.insert(bytes.end(), key.begin(), key.end());
    bytes.push_back(0);
  };
  for (int i = 0; i < 1000; ++i) add(i * 7919 % 1000);
  Bytes good = bytes;
  good[2] = 0xe8;
  EXPECT_NO_THROW(cbor::check_well_formed(good));
  add(500);
  EXPECT_THAT(message_of<MalformedPayload>([&] { cbor::check_well_formed(bytes); }), HasSubstr("a key twice"));
}

TEST(CborInput, SurvivesTwoHundredThousandMutations) {
  const Bytes good = sample();
  std::mt19937 random(20240229);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  const std::uint8_t nasty[] = {0x00, 0x18, 0x1b, 0x5b, 0x5f, 0x7b, 0x7f, 0x9b,
                                0x9f, 0xbb, 0xbf, 0xc0, 0xf6, 0xf9, 0xfb, 0xff};
  // Each is read in one of the four ways; all four would only take longer.
  int fitted = 0;
  for (int round = 0; round < 200'000; ++round) {
    Bytes bytes = good;
    for (std::size_t changes = 1 + below(4); changes != 0; --changes) {
      const std::size_t at = below(bytes.size());
      const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
      switch (below(5)) {
        case 0:
          *place = static_cast<std::uint8_t>(random());
          break;
        case 1:
          *place = nasty[below(std::size(nasty))];
          break;
        case 2:
          *place ^= static_cast<std::uint8_t>(1u << below(8));
          break;
        case 3:
          bytes.erase(place);
          break;
        default:
          bytes.insert(place, nasty[below(std::size(nasty))]);
      }
    }
    try {
      if (round % 2 == 0) {
        cbor::decode<Everything>(bytes);
      } else {
        cbor::check_well_formed(bytes);
      }
      ++fitted;
    } catch (const MalformedPayload&) {
    } catch (const DecodeError&) {
    }
    if (round % 50 == 0) read_every_way(bytes);
  }
  EXPECT_GT(fitted, 1000);  // else the mutations would all have hit the same check
}

TEST(CborInput, WhatDecodesIsWellFormedAndWhatIsNotDoesNotDecode) {
  const Bytes good = sample();
  std::mt19937 random(7);
  for (int round = 0; round < 5'000; ++round) {
    Bytes bytes = good;
    bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    bool well_formed = true;
    try {
      cbor::check_well_formed(bytes);
    } catch (const MalformedPayload&) {
      well_formed = false;
    }
    bool decodes = true;
    try {
      cbor::decode<Everything>(bytes);
    } catch (const DecodeError&) {
    } catch (const MalformedPayload&) {
      decodes = false;
    }
    EXPECT_EQ(decodes, well_formed) << "round " << round;
  }
}

/// How many bytes an action holds at its worst moment, whether it fails or not.
template <class Action>
std::size_t held_by(Action action) {
  const std::size_t before = held_bytes;
  most_held_bytes = before;
  try {
    action();
  } catch (const std::exception&) {
  }
  return most_held_bytes - before;
}

TEST(CborInput, AllocatesNothingToCheckAnOrdinaryPayload) {
  const Bytes good = sample();
  const std::size_t before = allocations;
  cbor::check_well_formed(good);
  EXPECT_EQ(allocations, before);
}

TEST(CborInput, HoldsMemoryInProportionToTheInput) {
  // Each claims as much as it can; a few bytes of error text and a page of faults are not the payload's doing.
  constexpr std::size_t kFixed = 100'000;
  const std::size_t size = 200'000;
  std::vector<Bytes> hostile;
  hostile.push_back(hex("9b 1000000000000000"));
  hostile.push_back(hex("bb 1000000000000000"));
  Bytes nested;  // every level claims all that is left
  for (int level = 0; level < 64; ++level) {
    const auto claim = static_cast<std::uint32_t>((size - 5 * static_cast<std::size_t>(level)) / 2);
    nested.push_back(level % 2 == 0 ? 0x9a : 0xba);
    for (int shift = 24; shift >= 0; shift -= 8) nested.push_back(static_cast<std::uint8_t>(claim >> shift));
    if (level % 2 == 1) nested.insert(nested.end(), {0x61, 'a'});
  }
  nested.resize(size, 0x60);
  hostile.push_back(nested);
  Bytes wrong = hex("9a 00030d40");  // nothing but texts where numbers or structs are asked for
  wrong.resize(5 + size, 0x60);
  hostile.push_back(wrong);
  Bytes keys = hex("ba 000186a0");  // a hundred thousand entries, all of the same key
  for (int i = 0; i < 100'000; ++i) keys.insert(keys.end(), {0x60, 0x00});
  hostile.push_back(keys);
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    const Bytes& bytes = hostile[i];
    const std::size_t limit = kFixed + 8 * bytes.size();
    EXPECT_LT(held_by([&] { cbor::check_well_formed(bytes); }), limit) << i;
    EXPECT_LT(held_by([&] { cbor::decode<Everything>(bytes); }), limit) << i;
    EXPECT_LT(held_by([&] { cbor::decode<hostile::Node>(bytes); }), limit) << i;
    EXPECT_LT(held_by([&] { cbor::decode<std::vector<Everything>>(bytes); }), limit) << i;
    EXPECT_LT(held_by([&] { cbor::decode<std::vector<std::int64_t>>(bytes); }), limit) << i;
    EXPECT_LT(held_by([&] { cbor::find_field(bytes, "a"); }), limit) << i;
  }
}

}  // namespace
}  // namespace busbar
