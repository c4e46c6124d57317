// The table of types, row by row, both ways.
#include <array>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "unit/sdk/cbor/support.hpp"

namespace paint {
enum class Color { red, green = 7 };
BUSBAR_ENUM(Color, red, green);

enum class Level : std::uint8_t { low = 1, high = 200 };

struct Circle {
  double radius = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(radius));
  }
  bool operator==(const Circle&) const = default;
};
BUSBAR_VARIANT_NAME(Circle, "circle");
}  // namespace paint

namespace busbar {
namespace {

using namespace busbar::testing;
using ::testing::ElementsAre;

/// Writes, compares with the bytes, reads back, compares with the value.
template <class T>
void expect_mapped(const T& value, std::string_view bytes) {
  EXPECT_EQ(encoded(value), hex(bytes));
  EXPECT_EQ(decoded<T>(hex(bytes)), value);
}

TEST(CborMapping, Booleans) {
  expect_mapped(false, "f4");
  expect_mapped(true, "f5");
}

TEST(CborMapping, IntegersOfEveryWidthAreExact) {
  expect_mapped<std::int8_t>(-128, "38 7f");
  expect_mapped<std::int8_t>(127, "18 7f");
  expect_mapped<std::uint8_t>(255, "18 ff");
  expect_mapped<std::int16_t>(-32768, "39 7fff");
  expect_mapped<std::uint16_t>(65535, "19 ffff");
  expect_mapped<std::int32_t>(std::numeric_limits<std::int32_t>::min(), "3a 7fffffff");
  expect_mapped<std::uint32_t>(4294967295u, "1a ffffffff");
  expect_mapped<std::int64_t>(std::numeric_limits<std::int64_t>::min(), "3b 7fffffffffffffff");
  expect_mapped<std::int64_t>(std::numeric_limits<std::int64_t>::max(), "1b 7fffffffffffffff");
  expect_mapped<std::uint64_t>(std::numeric_limits<std::uint64_t>::max(), "1b ffffffffffffffff");
}

TEST(CborMapping, AnIntegerOutOfItsTypesRangeIsAFault) {
  EXPECT_THAT(faults<std::uint8_t>(hex("19 012c")), ElementsAre(FieldError{"", "integer in 0…255", "integer 300"}));
  EXPECT_THAT(faults<std::uint8_t>(hex("20")), ElementsAre(FieldError{"", "integer in 0…255", "integer -1"}));
  EXPECT_THAT(faults<std::int8_t>(hex("38 80")), ElementsAre(FieldError{"", "integer in -128…127", "integer -129"}));
  EXPECT_EQ(faults<std::int64_t>(hex("1b 8000000000000000")).size(), 1u);
  EXPECT_EQ(faults<std::int64_t>(hex("3b 8000000000000000")).size(), 1u);
  EXPECT_THAT(faults<std::uint64_t>(hex("3b ffffffffffffffff")),
              ElementsAre(FieldError{"", "integer in 0…18446744073709551615", "integer -18446744073709551616"}));
}

TEST(CborMapping, Numbers) {
  expect_mapped(1.1, "fb 3ff199999999999a");
  expect_mapped(100000.0f, "fa 47c35000");
  EXPECT_TRUE(std::isnan(decoded<double>(encoded(std::nan("")))));
  EXPECT_EQ(decoded<double>(encoded(-std::numeric_limits<double>::infinity())), -HUGE_VAL);
}

TEST(CborMapping, ANumberMayBeAnyFloatOrAnInteger) {
  EXPECT_EQ(decoded<double>(hex("f9 3e00")), 1.5);
  EXPECT_EQ(decoded<double>(hex("fa 47c35000")), 100000.0);
  EXPECT_EQ(decoded<double>(hex("18 64")), 100.0);
  EXPECT_EQ(decoded<double>(hex("38 63")), -100.0);
  EXPECT_EQ(decoded<double>(hex("3b ffffffffffffffff")), -18446744073709551616.0);
  EXPECT_EQ(decoded<float>(hex("fb 3ff8000000000000")), 1.5f);
  EXPECT_THAT(faults<float>(encoded(1e300)),
              ElementsAre(FieldError{"", "number in the range of a float", "number 1.0000000000000001e+300"}));
}

TEST(CborMapping, AnIntegerMayNotBeAFloat) {
  EXPECT_THAT(faults<int>(hex("f9 3e00")), ElementsAre(FieldError{"", "integer", "number 1.5"}));
}

TEST(CborMapping, Text) {
  expect_mapped<std::string>("", "60");
  expect_mapped<std::string>("IETF", "64 49455446");
  expect_mapped<std::string>("ü水𐅑", "69 c3bc e6b0b4 f0908591");
  EXPECT_EQ(decoded<std::string>(encoded(std::string(70000, 'x'))), std::string(70000, 'x'));
}

TEST(CborMapping, TextThatIsNotUtf8IsRefusedBothWays) {
  for (const std::string bad : {"\xff", "abcdefgh\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\xb0"}) {
    EXPECT_THROW(encoded(bad), EncodeError);
    Bytes bytes = {static_cast<std::uint8_t>(0x60 + bad.size())};
    bytes.insert(bytes.end(), bad.begin(), bad.end());
    EXPECT_THROW(decoded<std::string>(bytes), MalformedPayload);
    EXPECT_THROW(cbor::check_well_formed(bytes), MalformedPayload);
  }
}

TEST(CborMapping, Bytes) {
  expect_mapped(std::vector<std::uint8_t>{1, 2, 3, 4}, "44 01020304");
  expect_mapped(std::vector<std::byte>{std::byte{255}}, "41 ff");
}

TEST(CborMapping, BytesMayBeBase64Text) {
  EXPECT_EQ(decoded<std::vector<std::uint8_t>>(encoded(std::string("AQID/w=="))), (Bytes{1, 2, 3, 255}));
  EXPECT_EQ(decoded<std::vector<std::byte>>(encoded(std::string(""))).size(), 0u);
  for (const char* bad : {"AQ", "AQ=", "A===", "AR==", "A-==", "====", "AQI=AQI="})
    EXPECT_THAT(faults<Bytes>(encoded(std::string(bad))),
                ElementsAre(FieldError{"", "bytes, or base64 text", "text that is not base64"}))
        << bad;
}

TEST(CborMapping, SequencesAreArrays) {
  expect_mapped(std::vector<int>{1, 2, 3}, "83 01 02 03");
  expect_mapped(std::vector<bool>{true, false}, "82 f5 f4");
  expect_mapped(std::deque<std::string>{"a"}, "81 61 61");
  expect_mapped(std::list<double>{}, "80");
  expect_mapped(std::set<int>{2, 1}, "82 01 02");
  expect_mapped(std::unordered_set<int>{5}, "81 05");
  expect_mapped(std::vector<std::vector<int>>{{1}, {}}, "82 81 01 80");
}

TEST(CborMapping, FixedSequencesAreArraysOfTheirSize) {
  expect_mapped(std::array<int, 2>{4, 5}, "82 04 05");
  expect_mapped(std::pair<std::string, int>{"a", 1}, "82 61 61 01");
  expect_mapped(std::tuple<int, bool, std::string>{1, true, "x"}, "83 01 f5 61 78");
  EXPECT_THAT(faults<std::tuple<int>>(hex("82 01 02")), ElementsAre(FieldError{"", "array of 1", "array of 2"}));
  EXPECT_EQ((faults<std::array<int, 3>>(hex("9f 01 02 ff")).size()), 1u);
  EXPECT_EQ((decoded<std::array<int, 2>>(hex("9f 01 02 ff"))), (std::array<int, 2>{1, 2}));
}

TEST(CborMapping, MapsWithTextKeysAreMaps) {
  expect_mapped(std::map<std::string, int>{{"a", 1}, {"b", 2}}, "a2 61 61 01 61 62 02");
  expect_mapped(std::unordered_map<std::string, bool>{{"a", true}}, "a1 61 61 f5");
  EXPECT_THROW((decoded<std::map<std::string, int>>(hex("a1 01 02"))), MalformedPayload);
  EXPECT_THROW((decoded<std::map<std::string, int>>(hex("a2 61 61 01 61 61 02"))), MalformedPayload);
}

TEST(CborMapping, OptionalsAreNullOutsideOfStructs) {
  expect_mapped(std::vector<std::optional<int>>{1, std::nullopt}, "82 01 f6");
  EXPECT_EQ(decoded<std::optional<int>>(hex("f7")), std::nullopt);
  const auto pointer = decoded<std::unique_ptr<int>>(hex("07"));
  ASSERT_NE(pointer, nullptr);
  EXPECT_EQ(*pointer, 7);
  EXPECT_EQ(encoded(std::unique_ptr<int>()), hex("f6"));
}

using namespace std::chrono_literals;
template <class D>
using Time = std::chrono::time_point<std::chrono::system_clock, D>;

TEST(CborMapping, TimePointsAreTaggedTextWithTheirPrecision) {
  const auto text = [](const auto& time) { return Payload::of(time).to_json().template get<std::string>(); };
  const std::chrono::sys_seconds time{1363896240s};
  EXPECT_EQ(encoded(time), hex("c0 74 323031332d30332d32315432303a30343a30305a"));
  EXPECT_EQ(text(time), "2013-03-21T20:04:00Z");
  EXPECT_EQ(text(Time<std::chrono::milliseconds>(time + 7ms)), "2013-03-21T20:04:00.007Z");
  EXPECT_EQ(text(Time<std::chrono::nanoseconds>(time + 1ns)), "2013-03-21T20:04:00.000000001Z");
  EXPECT_EQ(text(Time<std::chrono::nanoseconds>(-1ns)), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(text(std::chrono::sys_days(std::chrono::days(1))), "1970-01-02T00:00:00Z");
  EXPECT_THROW(encoded(Time<std::chrono::hours>(std::chrono::hours(100'000'000))), EncodeError);
}

TEST(CborMapping, TimePointsReadBackExactly) {
  const std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'700'000'000'123'456'789}, limit}) {
    const Time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(count)};
    EXPECT_EQ(decoded<Time<std::chrono::nanoseconds>>(encoded(time)), time);
  }
}

TEST(CborMapping, TimePointsTakeAnyRfc3339Text) {
  const auto read = [](const char* text) {
    return decoded<Time<std::chrono::milliseconds>>(encoded(std::string(text)));
  };
  const Time<std::chrono::milliseconds> time(1363896240000ms);
  EXPECT_EQ(read("2013-03-21T20:04:00Z"), time);
  EXPECT_EQ(read("2013-03-21t20:04:00.0009z"), time);
  EXPECT_EQ(read("2013-03-21 22:04:00.25+02:00"), time + 250ms);
  EXPECT_EQ(read("2013-03-21T14:34:00-05:30"), time);
  EXPECT_EQ(read("2016-12-31T23:59:60Z"), read("2017-01-01T00:00:00Z"));
  EXPECT_EQ(read("1969-12-31T23:59:59.9999Z"), Time<std::chrono::milliseconds>(-1ms));
}

TEST(CborMapping, TextThatIsNoTimeIsAFault) {
  for (const char* bad :
       {"", "2013-03-21", "2013-02-29T00:00:00Z", "2013-13-01T00:00:00Z", "2013-03-21T24:00:00Z", "2013-03-21T20:04:00",
        "2013-03-21T20:04:00.Z", "2013-03-21T20:04:00Zx", "+013-03-21T20:04:00Z"})
    EXPECT_EQ(faults<std::chrono::sys_seconds>(encoded(std::string(bad))).size(), 1u) << bad;
  EXPECT_EQ(faults<Time<std::chrono::nanoseconds>>(encoded(std::string("9999-01-01T00:00:00Z"))).front().expected,
            "time in the range of its type");
}

TEST(CborMapping, DurationsAreTheirCount) {
  expect_mapped(1500ms, "19 05dc");
  expect_mapped(std::chrono::hours(-1), "20");
}

TEST(CborMapping, EnumsWithNamesAreText) {
  expect_mapped(paint::Color::green, "65 677265656e");
  EXPECT_THROW(encoded(static_cast<paint::Color>(3)), EncodeError);
  EXPECT_THAT(faults<paint::Color>(encoded(std::string("blue"))),
              ElementsAre(FieldError{"", "one of red, green", "text \"blue\""}));
  EXPECT_THAT(faults<paint::Color>(hex("00")), ElementsAre(FieldError{"", "text", "integer 0"}));
}

TEST(CborMapping, EnumsWithoutNamesAreIntegers) {
  expect_mapped(paint::Level::high, "18 c8");
  EXPECT_THAT(faults<paint::Level>(hex("19 0100")), ElementsAre(FieldError{"", "integer in 0…255", "integer 256"}));
}

using Shape = std::variant<std::monostate, std::int32_t, std::string, Bytes, paint::Circle>;

TEST(CborMapping, VariantsAreMapsOfTypeAndValue) {
  for (const Shape& shape : {Shape(), Shape(-5), Shape("x"), Shape(Bytes{1}), Shape(paint::Circle{2.5})})
    EXPECT_EQ(decoded<Shape>(encoded(shape)), shape);
  EXPECT_EQ(Payload::of(Shape(-5)).to_json().dump(), R"({"type":"int32","value":-5})");
  EXPECT_EQ(Payload::of(Shape(paint::Circle{2.5})).to_json().dump(), R"({"type":"circle","value":{"radius":2.5}})");
  EXPECT_EQ(decoded<Shape>(json(R"({"value": {"radius": 1}, "type": "circle"})")), Shape(paint::Circle{1}));
  EXPECT_EQ(decoded<Shape>(json(R"({"type": "none"})")), Shape());
}

TEST(CborMapping, VariantsSayWhatIsWrongWithThem) {
  EXPECT_THAT(faults<Shape>(json("{}")), ElementsAre(FieldError{"type", "text", "nothing"}));
  EXPECT_THAT(faults<Shape>(json(R"({"type": "square"})")),
              ElementsAre(FieldError{"type", "one of none, int32, text, bytes, circle", "text \"square\""}));
  EXPECT_THAT(faults<Shape>(json(R"({"type": "int32"})")), ElementsAre(FieldError{"value", "integer", "nothing"}));
  EXPECT_THAT(faults<Shape>(json(R"({"type": "circle", "value": {"radius": "r"}})")),
              ElementsAre(FieldError{"value.radius", "number", "text"}));
}

TEST(CborMapping, JsonIsAnything) {
  const nlohmann::json value = {{"a", {1, -1, 1.5, true, nullptr, "x"}}};
  EXPECT_EQ(decoded<nlohmann::json>(encoded(value)), value);
  EXPECT_THAT(faults<nlohmann::json>(encoded(std::nan(""))),
              ElementsAre(FieldError{"", "what JSON can say", "a number that is not finite"}));
}

TEST(CborMapping, APayloadIsAnything) {
  const auto list = decoded<std::vector<Payload>>(hex("82 a1 61 61 01 c1 1a 514b67b0"));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].to_json().dump(), R"({"a":1})");
  EXPECT_EQ(encoded(list), hex("82 a1 61 61 01 c1 1a 514b67b0"));
}

}  // namespace
}  // namespace busbar
