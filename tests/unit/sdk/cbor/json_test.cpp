// JSON text in, JSON out.
#include <clocale>
#include <cmath>

#include "unit/sdk/cbor/support.hpp"

namespace busbar {
namespace {

using namespace busbar::testing;
using ::testing::HasSubstr;

/// "line:column text" of what is wrong with a JSON text.
std::string error_of(std::string_view text) {
  try {
    cbor::from_json_text(text);
  } catch (const JsonSyntaxError& error) {
    return std::to_string(error.line()) + ":" + std::to_string(error.column()) + " " + error.text();
  }
  return "none";
}

TEST(JsonText, BecomesCbor) {
  EXPECT_EQ(json(" { \"a\" : [ 1 , -2, 2.5, true, false, null ] ,\n\t\"b\":{} } "),
            hex("a2 61 61 86 01 21 fb 4004000000000000 f5 f4 f6 61 62 a0"));
}

TEST(JsonText, KeepsIntegersExactOverTheWholeRange) {
  EXPECT_EQ(json("18446744073709551615"), hex("1b ffffffffffffffff"));
  EXPECT_EQ(json("-9223372036854775808"), hex("3b 7fffffffffffffff"));
  EXPECT_EQ(json("9007199254740993"), hex("1b 0020000000000001"));
  EXPECT_EQ(json("-0"), hex("00"));
  EXPECT_EQ(json("10"), hex("0a"));
}

TEST(JsonText, RefusesIntegersThatWouldNotBeExact) {
  EXPECT_THAT(error_of("[18446744073709551616]"), HasSubstr("1:2 the integer 18446744073709551616 is out of range"));
  EXPECT_THAT(error_of("-9223372036854775809"), HasSubstr("out of range"));
  EXPECT_THAT(error_of(std::string(10'000, '9')), HasSubstr("9999…"));
}

TEST(JsonText, TakesFractionsAndExponentsAsDoubles) {
  EXPECT_EQ(decoded<double>(json("1.0")), 1.0);
  EXPECT_EQ(decoded<double>(json("1e3")), 1000.0);
  EXPECT_EQ(decoded<double>(json("-2.5E-2")), -0.025);
  EXPECT_EQ(decoded<double>(json("18446744073709551616.0")), 18446744073709551616.0);
  EXPECT_EQ(decoded<double>(json("1e-400")), 0.0);
  EXPECT_EQ(decoded<double>(json("4.9406564584124654e-324")), 4.9406564584124654e-324);
  EXPECT_EQ(decoded<double>(json("0.1")), 0.1);
  EXPECT_THAT(error_of("1e400"), HasSubstr("the number 1e400 is too large"));
}

TEST(JsonText, DoesNotAskTheLocaleForThePoint) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  if (std::setlocale(LC_NUMERIC, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "this machine has no locale with a comma";
  EXPECT_EQ(decoded<double>(json("0.5")), 0.5);
  std::setlocale(LC_NUMERIC, before.c_str());
}

TEST(JsonText, ReadsEscapes) {
  EXPECT_EQ(decoded<std::string>(json(R"("\"\\\/\b\f\n\r\t\u00fc\u6C34\ud800\udd51\u0000x")")),
            std::string("\"\\/\b\f\n\r\tü水𐅑\0x", 19));
}

TEST(JsonText, TurnsBytesObjectsIntoBytes) {
  EXPECT_EQ(json(R"({"$bytes": "AQI="})"), hex("42 01 02"));
  EXPECT_EQ(json(R"([{"$bytes": ""}, {"$bytes": 1}, {"$bytes": "", "x": 1}])"),
            hex("83 40 a1 66 246279746573 01 a2 66 246279746573 60 61 78 01"));
  EXPECT_EQ(json("{\"a\":" + std::string(R"({"$bytes":")") + std::string(400, 'A') + "\"}}").size(), 1u + 2 + 3 + 300);
  EXPECT_EQ(error_of(" {\"$bytes\": \"A\"}"), "1:2 \"$bytes\" is not base64");
}

TEST(JsonText, CountsLongArraysAndObjects) {
  std::string text = "[0";
  for (int i = 1; i < 300; ++i) text += "," + std::to_string(i);
  EXPECT_EQ(decoded<std::vector<int>>(json(text + "]")).at(299), 299);
  std::string object = "{\"k0\":[]";
  for (int i = 1; i < 70'000; ++i) object += ",\"k" + std::to_string(i) + "\":[" + std::to_string(i) + "]";
  EXPECT_EQ(cbor::to_json(json(object + "}")).size(), 70'000u);
}

TEST(JsonText, SaysWhereItIsWrong) {
  EXPECT_EQ(error_of(""), "1:1 expected a value, found the end of the text");
  EXPECT_EQ(error_of("{\"a\": }"), "1:7 expected a value, found \"}\"");
  EXPECT_EQ(error_of("{\n  \"ü\": 1,\n  \"b\" 2}"), "3:7 expected \":\", found \"2\"");
  EXPECT_EQ(error_of("[\"水\" 1]"), "1:6 expected \",\" or \"]\", found \"1\"");
  EXPECT_EQ(error_of("[1,]"), "1:4 expected a value, found \"]\"");
  EXPECT_EQ(error_of("{\"a\":1,}"), "1:8 expected a key in quotes, found \"}\"");
  EXPECT_EQ(error_of("{a:1}"), "1:2 expected a key in quotes, found \"a\"");
  EXPECT_EQ(error_of("1 2"), "1:3 expected nothing more, found \"2\"");
  EXPECT_EQ(error_of("[1"), "1:3 expected \",\" or \"]\", found the end of the text");
  EXPECT_EQ(error_of("\"abc"), "1:5 expected the end of a string, found the end of the text");
  EXPECT_EQ(error_of("\"a\nb\""), "1:3 a control character in a string has to be escaped");
  EXPECT_EQ(error_of("01"), "1:1 a number begins with a needless zero");
  EXPECT_EQ(error_of("-"), "1:2 expected a digit, found the end of the text");
  EXPECT_EQ(error_of("1."), "1:3 expected a digit behind the point, found the end of the text");
  EXPECT_EQ(error_of("1e+"), "1:4 expected a digit of the exponent, found the end of the text");
  EXPECT_EQ(error_of(R"("\x")"), "1:2 a string has an escape that JSON does not know");
  EXPECT_EQ(error_of(R"("\u12g4")"), "1:2 expected four hexadecimal digits behind \"\\u\"");
  EXPECT_EQ(error_of(R"("\u12)"), "1:2 expected four hexadecimal digits behind \"\\u\"");
  EXPECT_EQ(error_of(R"("\ud800x")"), "1:2 half a surrogate pair is no character");
  EXPECT_EQ(error_of(R"("\udc00")"), "1:2 half a surrogate pair is no character");
  EXPECT_EQ(error_of("\"\\"), "1:2 a string has an escape that JSON does not know");
}

TEST(JsonText, RefusesWhatPayloadsCannotCarry) {
  EXPECT_EQ(error_of("NaN"), "1:1 expected a value, found \"N\"");
  EXPECT_EQ(error_of("-Infinity"), "1:2 expected a digit, found \"I\"");
  EXPECT_EQ(error_of("[\"\xff\"]"), "1:3 a string is not valid UTF-8");
  EXPECT_EQ(error_of("[\xff]"), "1:2 expected a value, found byte 255");
  EXPECT_EQ(error_of("{\"a\": 1, \"b\": {\"a\": 2},\n \"a\": 3}"), "2:2 key \"a\" comes twice");
  EXPECT_EQ(error_of(R"({"a": 1, "\u0061": 3})"), "1:10 key \"a\" comes twice");
}

TEST(JsonText, RefusesAMillionOpenBrackets) {
  EXPECT_EQ(error_of(std::string(1'000'000, '[')), "1:65 nested deeper than 64");
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"\":";
  EXPECT_THAT(error_of(objects), HasSubstr("nested deeper than 64"));
  EXPECT_EQ(error_of(std::string(64, '[') + std::string(64, ']')), "none");
  EXPECT_EQ(error_of("\"" + std::string(100, '[') + "\""), "none");
}

TEST(JsonText, RefusesEveryTruncation) {
  const std::string good = R"({"a": [1, -2.5e1, "xü\u00fc\n", true, null], "b": {"$bytes": "AQI="}})";
  EXPECT_EQ(error_of(good), "none");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(error_of(std::string(good, 0, size)), "none") << size;
}

TEST(Json, ShowsPayloadsToPeople) {
  EXPECT_EQ(cbor::to_json(hex("82 42 0102 c0 74 323031332d30332d32315432303a30343a30305a")).dump(),
            R"([{"$bytes":"AQI="},"2013-03-21T20:04:00Z"])");
}

TEST(Json, SaysWhatItCannotShow) {
  EXPECT_THAT(message_of<NotJson>([] { cbor::to_json(encoded(std::nan(""))); }),
              HasSubstr("a number that is not finite"));
  EXPECT_THAT(message_of<NotJson>([] { cbor::to_json(hex("3b 8000000000000000")); }), HasSubstr("an integer below"));
  EXPECT_THAT(message_of<NotJson>([] { cbor::to_json(hex("f0")); }), HasSubstr("simple value 16"));
}

TEST(Json, BecomesCbor) {
  const nlohmann::json value = {
      {"n", -9223372036854775807 - 1}, {"u", 18446744073709551615u}, {"b", {{"$bytes", "AQI="}}}};
  EXPECT_EQ(cbor::from_json(value), hex("a3 61 62 42 0102 61 6e 3b 7fffffffffffffff 61 75 1b ffffffffffffffff"));
  EXPECT_EQ(cbor::to_json(cbor::from_json(value)), value);
  EXPECT_EQ(cbor::from_json(nlohmann::json::binary({1, 2})), hex("42 0102"));
}

TEST(Json, IsRefusedWhereAPayloadCannotCarryIt) {
  EXPECT_THROW(cbor::from_json(std::nan("")), EncodeError);
  EXPECT_THROW(cbor::from_json("\xff"), EncodeError);
  EXPECT_THROW(cbor::from_json({{"\xff", 1}}), EncodeError);
  EXPECT_THROW(cbor::from_json({{"$bytes", "A"}}), EncodeError);
  EXPECT_THROW(cbor::from_json(nlohmann::json(nlohmann::json::value_t::discarded)), EncodeError);
  nlohmann::json deep = nlohmann::json::array();
  for (int i = 1; i < 64; ++i) deep = nlohmann::json::array({std::move(deep)});
  EXPECT_NO_THROW(cbor::from_json(deep));
  EXPECT_THROW(cbor::from_json(nlohmann::json::array({deep})), EncodeError);
}

}  // namespace
}  // namespace busbar
