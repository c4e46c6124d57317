// One field of an encoded map.
#include "unit/sdk/cbor/support.hpp"

namespace busbar {
namespace {

using namespace busbar::testing;

std::string field_of(const Bytes& map, std::string_view key) {
  const auto item = cbor::find_field(map, key);
  return item ? cbor::to_json(*item).dump() : "none";
}

TEST(CborFindField, GivesTheItemOfATopLevelField) {
  const Bytes map = json(R"({"a": 1, "b": {"a": 2}, "c": [3]})");
  EXPECT_EQ(field_of(map, "a"), "1");
  EXPECT_EQ(field_of(map, "b"), R"({"a":2})");
  EXPECT_EQ(field_of(map, "c"), "[3]");
  EXPECT_EQ(field_of(map, "d"), "none");
  EXPECT_EQ(field_of({}, "a"), "none");
  EXPECT_EQ(field_of(hex("bf 61 61 07 ff"), "a"), "7");
}

TEST(CborFindField, RefusesWhatIsNoWholeMap) {
  EXPECT_THROW(cbor::find_field(json("[1]"), "a"), MalformedPayload);
  EXPECT_THROW(cbor::find_field(hex("a2 61 61 01"), "a"), MalformedPayload);
  EXPECT_THROW(cbor::find_field(hex("a1 61 61 01 00"), "a"), MalformedPayload);
  EXPECT_THROW(cbor::find_field(hex("a2 61 61 01 61 61 01"), "a"), MalformedPayload);
}

// C-M8: one field of a raw request can be put or replaced.
TEST(CborWithField, PutsAField) {
  const auto put = [](const Bytes& map, std::string_view key, std::string_view value) {
    return cbor::to_json(cbor::with_field(map, key, json(value))).dump();
  };
  EXPECT_EQ(put(json(R"({"a": 1})"), "b", "[2]"), R"({"a":1,"b":[2]})");
  EXPECT_EQ(put(json("{}"), "b", "2"), R"({"b":2})");
  EXPECT_EQ(put({}, "b", "2"), R"({"b":2})");
  EXPECT_EQ(put(hex("bf 61 61 07 ff"), "b", "2"), R"({"a":7,"b":2})");
}

TEST(CborWithField, ReplacesAFieldWhereItStands) {
  const Bytes map = json(R"({"a": 1, "b": {"x": "y"}, "c": 3})");
  EXPECT_EQ(cbor::with_field(map, "b", json("2")), json(R"({"a": 1, "b": 2, "c": 3})"));
  EXPECT_EQ(cbor::with_field(map, "a", json("2")), json(R"({"a": 2, "b": {"x": "y"}, "c": 3})"));
  EXPECT_EQ(cbor::with_field(map, "c", json("2")), json(R"({"a": 1, "b": {"x": "y"}, "c": 2})"));
}

TEST(CborWithField, CountsBeyondAShortHead) {
  Bytes map;
  for (int i = 0; i < 300; ++i) map = cbor::with_field(map, "key" + std::to_string(i), json(std::to_string(i)));
  EXPECT_EQ(cbor::to_json(map).size(), 300u);
  EXPECT_EQ(field_of(map, "key299"), "299");
}

TEST(CborWithField, RefusesWhatIsNoMapOrNoItem) {
  EXPECT_THROW(cbor::with_field(json("[1]"), "a", json("1")), MalformedPayload);
  EXPECT_THROW(cbor::with_field(json("{}"), "a", {}), MalformedPayload);
  EXPECT_THROW(cbor::with_field(json("{}"), "a", hex("01 01")), MalformedPayload);
  EXPECT_THROW(cbor::with_field(json("{}"), "\xff", json("1")), EncodeError);
}

TEST(CborWithField, RefusesAnItemThatWouldBeNestedTooDeeply) {
  Bytes deep(63, 0x81);
  deep.push_back(0);
  EXPECT_NO_THROW(cbor::check_well_formed(cbor::with_field({}, "a", deep)));
  deep.insert(deep.begin(), 0x81);
  EXPECT_THROW(cbor::with_field({}, "a", deep), MalformedPayload);
}

}  // namespace
}  // namespace busbar
