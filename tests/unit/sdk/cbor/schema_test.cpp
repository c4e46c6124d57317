// What the schema of a type says, row by row of the mapping.
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <variant>

#include "unit/sdk/cbor/support.hpp"

namespace schemas {

enum class Colour { red, green };
BUSBAR_ENUM(Colour, red, green);
enum class Level : std::uint8_t { low, high };

struct Point {
  double x = 0, y = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(x), CEREAL_NVP(y));
  }
};
BUSBAR_VARIANT_NAME(Point, "point");

struct Order {
  std::string item;
  std::uint8_t count = 0;
  std::optional<std::string> note;
  std::vector<int> sizes;
  Colour colour = Colour::red;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(item), busbar::field("count", count, 1), CEREAL_NVP(note));
    ar(busbar::field("sizes", sizes, {1, 2}), busbar::field("colour", colour, Colour::green));
  }
};

struct Special : Point {
  int z = 0;
  template <class A>
  void serialize(A& ar) {
    ar(cereal::base_class<Point>(this), CEREAL_NVP(z));
  }
};

struct Tree {
  std::string name;
  std::vector<Tree> children;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(name), CEREAL_NVP(children));
  }
};

namespace other {
struct Point {
  int a = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(a));
  }
};
}  // namespace other

struct Lines {
  Point from, to;
  other::Point first, second;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(from), CEREAL_NVP(to), CEREAL_NVP(first), CEREAL_NVP(second));
  }
};

struct Picky {
  int value = 0, more = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(value));
    if (value == 0) throw std::invalid_argument("value must not be 0");
    ar(CEREAL_NVP(more));
  }
};

struct Apart {
  int value = 0;
  template <class A>
  void save(A& ar) const {
    ar(cereal::make_nvp("written", value));
  }
  template <class A>
  void load(A& ar) {
    ar(cereal::make_nvp("read", value));
  }
};

struct Endless {
  double limit = 0;
  template <class A>
  void serialize(A& ar) {
    ar(busbar::field("limit", limit, std::numeric_limits<double>::infinity()));
  }
};

struct Coded {};

}  // namespace schemas

template <>
struct busbar::cbor::Codec<schemas::Coded> {
  static constexpr const char* kind() { return "a code"; }
  static void write(ByteSink& sink, const schemas::Coded&, unsigned) { detail::write_byte(sink, detail::kNull); }
  static schemas::Coded read(std::span<const std::uint8_t>, unsigned) { return {}; }
};

namespace busbar {
namespace {

using nlohmann::json;
using namespace schemas;

json without_dialect(const std::string& text) {
  json schema = json::parse(text);
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  schema.erase("$schema");
  return schema;
}
template <class T>
json read() {
  return without_dialect(cbor::request_schema<T>());
}
template <class T>
json written() {
  return without_dialect(cbor::response_schema<T>());
}
json type(const char* name) { return {{"type", name}}; }
json integer(std::int64_t least, std::uint64_t most) {
  return {{"type", "integer"}, {"minimum", least}, {"maximum", most}};
}
const json kInt = integer(-2147483648, 2147483647);

TEST(CborSchema, OfPlainValues) {
  EXPECT_EQ(read<bool>(), type("boolean"));
  EXPECT_EQ(read<std::int8_t>(), integer(-128, 127));
  EXPECT_EQ(read<std::uint64_t>(), integer(0, 18446744073709551615u));
  EXPECT_EQ(read<std::int64_t>(), integer(std::numeric_limits<std::int64_t>::min(), 9223372036854775807));
  EXPECT_EQ(read<double>(), type("number"));
  EXPECT_EQ(read<float>(), type("number"));
  EXPECT_EQ(read<std::string>(), type("string"));
  EXPECT_EQ(read<std::monostate>(), type("null"));
}

TEST(CborSchema, OfBytesIsWhatJsonHasForThem) {
  const json text = {{"type", "string"}, {"contentEncoding", "base64"}};
  const json object = {{"type", "object"},
                       {"properties", {{"$bytes", text}}},
                       {"required", {"$bytes"}},
                       {"additionalProperties", false}};
  EXPECT_EQ(read<std::vector<std::byte>>(), (json{{"anyOf", {object, text}}}));
  EXPECT_EQ(read<std::vector<std::uint8_t>>(), (json{{"anyOf", {object, text}}}));
  EXPECT_EQ(written<std::vector<std::byte>>(), object);
}

TEST(CborSchema, OfManyValues) {
  EXPECT_EQ(read<std::vector<int>>(), (json{{"type", "array"}, {"items", kInt}}));
  EXPECT_EQ(read<std::set<std::string>>(), (json{{"type", "array"}, {"items", type("string")}}));
  EXPECT_EQ((read<std::array<bool, 3>>()),
            (json{{"type", "array"}, {"items", type("boolean")}, {"minItems", 3}, {"maxItems", 3}}));
  EXPECT_EQ(
      (read<std::tuple<bool, std::string>>()),
      (json{{"type", "array"}, {"prefixItems", {type("boolean"), type("string")}}, {"minItems", 2}, {"maxItems", 2}}));
  EXPECT_EQ((read<std::map<std::string, bool>>()),
            (json{{"type", "object"}, {"additionalProperties", type("boolean")}}));
}

TEST(CborSchema, OfAnOptionalAllowsNull) {
  const json expected = {{"anyOf", {type("string"), type("null")}}};
  EXPECT_EQ(read<std::optional<std::string>>(), expected);
  EXPECT_EQ(read<std::unique_ptr<std::string>>(), expected);
}

TEST(CborSchema, OfTimesNamesTheirFormatAndUnit) {
  EXPECT_EQ(read<std::chrono::system_clock::time_point>(), (json{{"type", "string"}, {"format", "date-time"}}));
  const auto unit = []<class D>(D) { return read<D>()["description"].template get<std::string>(); };
  EXPECT_EQ(unit(std::chrono::milliseconds()), "milliseconds");
  EXPECT_EQ(unit(std::chrono::hours()), "hours");
  EXPECT_EQ(unit(std::chrono::duration<int, std::ratio<1, 50>>()), "1/50 of a second");
  EXPECT_EQ(read<std::chrono::milliseconds>()["type"], "integer");
  EXPECT_EQ((read<std::chrono::duration<double>>()["type"]), "number");
}

TEST(CborSchema, OfAnEnumListsItsNamesIfItHasAny) {
  EXPECT_EQ(read<Colour>(), (json{{"type", "string"}, {"enum", {"red", "green"}}}));
  EXPECT_EQ(read<Level>(), integer(0, 255));
}

TEST(CborSchema, OfAVariantIsOneOfItsNamedAlternatives) {
  const auto alternative = [](const char* name, json value, json required) -> json {
    return {{"type", "object"},
            {"properties", {{"type", {{"const", name}}}, {"value", std::move(value)}}},
            {"required", std::move(required)}};
  };
  EXPECT_EQ(
      (read<std::variant<std::monostate, std::string>>()),
      (json{{"oneOf",
             {alternative("none", type("null"), {"type"}), alternative("text", type("string"), {"type", "value"})}}}));
}

TEST(CborSchema, OfAnythingSaysNothing) {
  EXPECT_EQ(read<nlohmann::json>(), json::object());
  EXPECT_EQ(read<Payload>(), json::object());
  EXPECT_EQ(read<Coded>(), (json{{"description", "a code"}}));
}

TEST(CborSchema, OfAClassRequiresWhatIsNeitherOptionalNorHasADefault) {
  const json schema = read<Order>();
  EXPECT_EQ(schema["type"], "object");
  EXPECT_EQ(schema["required"], json::array({"item"}));
  EXPECT_EQ(schema["properties"].size(), 5u);
  EXPECT_EQ(schema["properties"]["count"]["default"], 1);
  EXPECT_EQ(schema["properties"]["count"]["maximum"], 255);
  EXPECT_EQ(schema["properties"]["sizes"]["default"], json::array({1, 2}));
  EXPECT_EQ(schema["properties"]["colour"]["default"], "green");
  EXPECT_FALSE(schema.contains("additionalProperties"));  // unknown fields are ignored
}

TEST(CborSchema, OfAnAnswerRequiresWhatIsAlwaysWritten) {
  const json schema = written<Order>();
  EXPECT_EQ(schema["required"], json::array({"item", "count", "sizes", "colour"}));
  EXPECT_FALSE(schema["properties"]["count"].contains("default"));
}

TEST(CborSchema, KeepsTheOrderOfFields) {
  const std::string text = cbor::request_schema<Order>();
  EXPECT_LT(text.find("\"item\""), text.find("\"count\""));
  EXPECT_LT(text.find("\"note\""), text.find("\"colour\""));
}

TEST(CborSchema, HasTheFieldsOfABaseClass) { EXPECT_EQ(read<Special>()["required"], json::array({"x", "y", "z"})); }

TEST(CborSchema, RefersToAClassWithinItself) {
  const json tree = {
      {"type", "object"},
      {"properties",
       {{"name", type("string")}, {"children", {{"type", "array"}, {"items", {{"$ref", "#/$defs/Tree"}}}}}}},
      {"required", {"name", "children"}}};
  EXPECT_EQ(read<Tree>(), (json{{"$ref", "#/$defs/Tree"}, {"$defs", {{"Tree", tree}}}}));
}

TEST(CborSchema, DefinesOnceWhatIsUsedTwiceAndTellsApartWhatIsCalledTheSame) {
  const json schema = read<Lines>();
  EXPECT_EQ(schema["properties"]["from"], (json{{"$ref", "#/$defs/Point"}}));
  EXPECT_EQ(schema["properties"]["to"], (json{{"$ref", "#/$defs/Point"}}));
  EXPECT_EQ(schema["properties"]["second"], (json{{"$ref", "#/$defs/Point_2"}}));
  EXPECT_TRUE(schema["$defs"]["Point"]["properties"].contains("x"));
  EXPECT_TRUE(schema["$defs"]["Point_2"]["properties"].contains("a"));
}

TEST(CborSchema, OfAClassThatLooksAtItsValuesRequiresNothing) {
  EXPECT_EQ(read<Picky>(), (json{{"type", "object"}, {"properties", {{"value", kInt}}}}));
}

TEST(CborSchema, TellsReadingFromWriting) {
  EXPECT_EQ(read<Apart>()["required"], json::array({"read"}));
  EXPECT_EQ(written<Apart>()["required"], json::array({"written"}));
}

TEST(CborSchema, LeavesOutADefaultThatJsonCannotSay) {
  EXPECT_EQ(read<Endless>()["properties"]["limit"], type("number"));
}

TEST(CborJsonText, SaysWhatToJsonSays) {
  for (const char* text :
       {R"({"b":[1,-1,18446744073709551615,-9223372036854775808],"a":{"x":null,"y":true,"z":false}})",
        R"("quote \" backslash \\ line \n del  ä")", R"([1.5,1e+300,0.1,2.0,-0.0])", R"({"$bytes":"AAEC"})", "[]",
        "{}"}) {
    const auto bytes = cbor::from_json_text(text);
    EXPECT_EQ(json::parse(cbor::to_json_text(bytes)), cbor::to_json(bytes)) << text;
  }
  EXPECT_EQ(cbor::to_json_text(cbor::from_json_text(R"({"b":1,"a":2.0})")), R"({"b":1,"a":2.0})");
  const std::uint8_t nan[] = {0xF9, 0x7E, 0x00};
  EXPECT_THROW(cbor::to_json_text(nan), NotJson);
}

}  // namespace
}  // namespace busbar
