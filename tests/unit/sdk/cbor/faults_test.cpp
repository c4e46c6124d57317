// What a payload that does not fit is told.
#include <map>

#include "unit/sdk/cbor/support.hpp"

namespace shop {

struct Owner {
  std::string name;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(name));
  }
};

struct Item {
  double price = 0;
  std::uint8_t count = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(price), CEREAL_NVP(count));
  }
};

struct Order {
  Owner owner;
  std::vector<Item> items;
  std::map<std::string, bool> flags;
  std::pair<int, std::string> code;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(owner), CEREAL_NVP(items), CEREAL_NVP(flags), CEREAL_NVP(code));
  }
};

}  // namespace shop

namespace busbar {
namespace {

using namespace busbar::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(CborFaults, AreAllListedWithTheirPaths) {
  const Bytes wrong = json(R"({"owner": {"name": 7},
                               "items": [{"price": 1, "count": 2}, {"price": "x", "count": 300}, {"count": 1}],
                               "flags": {"a": true, "b": null},
                               "code": ["one", "two"]})");
  EXPECT_THAT(faults<shop::Order>(wrong),
              ElementsAre(FieldError{"owner.name", "text", "integer 7"}, FieldError{"items[1].price", "number", "text"},
                          FieldError{"items[1].count", "integer in 0…255", "integer 300"},
                          FieldError{"items[2].price", "number", "nothing"},
                          FieldError{"flags.b", "true or false", "null"}, FieldError{"code[0]", "integer", "text"}));
}

TEST(CborFaults, AreTheSameWhenFieldsComeInAnotherOrder) {
  const Bytes wrong = json(R"({"code": [1, 2], "flags": [], "items": [{"count": -1, "price": false}], "owner": 1})");
  EXPECT_THAT(faults<shop::Order>(wrong),
              ElementsAre(FieldError{"owner", "map", "integer 1"}, FieldError{"items[0].price", "number", "false"},
                          FieldError{"items[0].count", "integer in 0…255", "integer -1"},
                          FieldError{"flags", "map", "array of 0"}, FieldError{"code[1]", "text", "integer 2"}));
}

TEST(CborFaults, NameMissingFields) {
  EXPECT_THAT(faults<shop::Order>(json("{}")),
              ElementsAre(FieldError{"owner", "map", "nothing"}, FieldError{"items", "array", "nothing"},
                          FieldError{"flags", "map", "nothing"}, FieldError{"code", "array", "nothing"}));
}

TEST(CborFaults, OfThePayloadItselfHaveNoPath) {
  EXPECT_THAT(faults<shop::Order>(json("[1, 2]")), ElementsAre(FieldError{"", "map", "array of 2"}));
}

TEST(CborFaults, SayWhatWasFound) {
  const auto found = [](std::string_view bytes) { return faults<shop::Owner>(hex(bytes)).at(0).found; };
  EXPECT_EQ(found("20"), "integer -1");
  EXPECT_EQ(found("41 00"), "bytes");
  EXPECT_EQ(found("61 78"), "text");
  EXPECT_EQ(found("9f ff"), "array");
  EXPECT_EQ(found("f5"), "true");
  EXPECT_EQ(found("f6"), "null");
  EXPECT_EQ(found("f9 3e00"), "number 1.5");
  EXPECT_EQ(found("f0"), "simple value 16");
  EXPECT_EQ(found("c1 00"), "integer 0");
}

TEST(CborFaults, NeverRepeatATextThatMayBeASecret) {
  EXPECT_THAT(message_of<DecodeError>([] { decoded<int>(encoded(std::string("password"))); }),
              "could not read the payload: expected integer, found text");
}

TEST(CborFaults, SummariseThemselves) {
  EXPECT_THAT(message_of<DecodeError>([] { decoded<shop::Order>(json("{}")); }),
              "could not read the payload: field \"owner\": expected map, found nothing (and 3 more)");
}

TEST(CborFaults, AreNoMoreThanAPage) {
  const std::vector<std::string> many(10'000, "x");
  EXPECT_EQ(faults<std::vector<int>>(encoded(many)).size(), 256u);
  EXPECT_THAT(message_of<DecodeError>([&] { decoded<std::vector<int>>(encoded(many)); }),
              HasSubstr("(and at least 255 more)"));
}

TEST(CborFaults, ShortenLongKeysBetweenCharacters) {
  std::string key;
  for (int i = 0; i < 100; ++i) key += "水";
  const auto fault = faults<std::map<std::string, int>>(encoded(std::map<std::string, bool>{{key, true}})).at(0);
  EXPECT_EQ(fault.path, key.substr(0, 63) + "…");
}

TEST(CborFaults, DoNotHideThatThePayloadIsMalformed) {
  Bytes cut = encoded(std::vector<std::string>{"a", "b"});
  cut.pop_back();
  EXPECT_THROW(decoded<std::vector<int>>(cut), MalformedPayload);
  // Within what is passed over because it does not fit.
  EXPECT_THROW(decoded<int>(hex("82 01 61 ff")), MalformedPayload);
  EXPECT_THROW(decoded<int>(hex("a2 61 61 01 61 61 02")), MalformedPayload);
}

TEST(CborFaults, AreReportedByTheArchiveWhenItFinishes) {
  const Bytes bytes = json(R"({"name": 1})");
  cbor::InputArchive archive(bytes);
  shop::Owner owner;
  archive(owner);
  EXPECT_THROW(archive.finish(), DecodeError);
}

}  // namespace
}  // namespace busbar
