#include "plugins/file/service_facts.hpp"

#include <busbar/abi.h>

#include "support.hpp"

namespace busbar::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ServiceFacts named(const std::string& name) {
  ServiceFacts facts;
  facts.name = name;
  return facts;
}

std::vector<std::string> problems_of(const ServiceFacts& facts) { return host::problems_of(RouterFacts{{}, {facts}}); }
using host::problems_of;

TEST(ServiceFacts, SurviveJson) {
  const RouterFacts router = {
      {}, {{"a", "Does ä.", true, true, true, true, 86'400'000, R"({"type":"null"})", "true", "[1]"}, named("b")}};
  EXPECT_EQ(router_from_json(to_json(router)), router);
}

TEST(RouterFacts, KeepTheirLimitInJson) {
  for (const auto& limit : std::vector<wire::CallLimit>{{}, {8, 0}, {8, 5}, {8, BUSBAR_NO_LIMIT}}) {
    const RouterFacts router = {limit, {named("a")}};
    EXPECT_EQ(router_from_json(to_json(router)), router) << to_text(limit);
  }
  EXPECT_FALSE(to_json(RouterFacts{{}, {named("a")}}).contains("max_running"));
}

TEST(ServiceFacts, KeepStrategiesAndLimitsInJson) {
  ServiceFacts sticky = named("a"), bounded = named("b"), unbounded = named("c");
  sticky.strategy = "sticky";
  sticky.sticky_field = "town";
  bounded.limit = {8, 0};
  unbounded.limit = {8, BUSBAR_NO_LIMIT};
  const RouterFacts router = {{}, {sticky, bounded, unbounded}};
  EXPECT_EQ(router_from_json(to_json(router)), router);
  EXPECT_EQ(strategy_text(sticky), "sticky by \"town\"");
  EXPECT_EQ(strategy_text(bounded), "random");
  EXPECT_EQ(to_text(sticky.limit), "none");
  EXPECT_EQ(to_text(bounded.limit), "8 at a time and 0 that wait");
  EXPECT_EQ(to_text(unbounded.limit), "8 at a time");
}

TEST(ServiceFacts, OfARouterMustHaveStickyFieldsThatRecordsCanCarry) {
  ServiceFacts facts = named("a");
  facts.sticky_field = std::string(1024, 'f');
  EXPECT_THAT(problems_of(facts), IsEmpty());
  facts.sticky_field += "f";
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("at most 1024 of UTF-8")));
  facts.sticky_field = "\xff";
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("sticky field")));
}

// Where the fields of its requests are not known, any may be meant.
TEST(ServiceFacts, OfARouterMustStickByAFieldThatRequestsHave) {
  ServiceFacts facts = named("a");
  facts.strategy = "sticky";
  facts.sticky_field = "town";
  const std::vector<std::string> open = {"",
                                         "{}",
                                         "true",
                                         R"({"type": "object"})",
                                         R"({"$ref": "#/nowhere"})",
                                         R"({"type": "object", "additionalProperties": {"type": "string"}})"};
  for (const std::string& schema : open) {
    facts.request_schema = schema;
    EXPECT_THAT(problems_of(facts), IsEmpty()) << schema;
  }
  const std::string has_town = R"({"type": "object", "properties": {"town": {}, "day": {}}})";
  const std::string lacks_town = R"({"type": "object", "properties": {"city": {}, "day": {}}})";
  facts.request_schema = has_town;
  EXPECT_THAT(problems_of(facts), IsEmpty());
  for (const std::string& schema : {lacks_town, R"({"anyOf": [)" + lacks_town + R"(, {"type": "null"}]})",
                                    R"({"$ref": "#/$defs/R", "$defs": {"R": )" + lacks_town + "}}"}) {
    facts.request_schema = schema;
    EXPECT_THAT(problems_of(facts),
                ElementsAre("the sticky field of service \"a\" is \"town\", expected a field of its requests, which "
                            "are: \"city\", \"day\""))
        << schema;
  }
}

TEST(ServiceFacts, OfARouterMustHaveLimitsThatDoNotContradictThemselves) {
  ServiceFacts facts = named("a");
  facts.limit = {0, 3};
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("service \"a\" has max_queued 3 without max_running")));
  EXPECT_THAT(problems_of(RouterFacts{{0, 3}, {named("a")}}),
              ElementsAre(HasSubstr("its router has max_queued 3 without max_running")));
  facts.limit = {4, BUSBAR_NO_LIMIT};
  EXPECT_THAT(problems_of(facts), IsEmpty());
  facts.is_inline = true;
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("service \"a\" is inline and has max_running 4")));
  EXPECT_THAT(problems_of(RouterFacts{{4, 0}, {named("a")}}), IsEmpty());
}

TEST(ServiceFacts, RefuseJsonOfAnotherShapeAndSayWhere) {
  const auto message = [](const char* text) -> std::string {
    try {
      router_from_json({{"services", nlohmann::json::parse(text)}});
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message("{}"), "the services are no array");
  EXPECT_EQ(message(R"([{"name": "a"}, 1])"), "service 2: it is no map");
  EXPECT_EQ(message(R"([{}])"), "service 1: it has no \"name\"");
  EXPECT_EQ(message(R"([{"name": 1}])"), "service 1: \"name\" is no text");
  EXPECT_THAT(message(R"([{"name": "a", "visibility": "some"}])"), HasSubstr("neither public nor private"));
  EXPECT_EQ(message(R"([{"name": "a", "inline": 1}])"), "service 1: \"inline\" is no boolean");
  EXPECT_THAT(message(R"([{"name": "a", "timeout_ms": -1}])"), HasSubstr("no whole number"));
  EXPECT_THAT(message(R"([{"name": "a", "timeout_ms": 86400001}])"), HasSubstr("no whole number"));
  EXPECT_THAT(message(R"([{"name": "a", "max_running": "8"}])"), HasSubstr("\"max_running\" is no whole number"));
  EXPECT_EQ(message(R"([{"name": "a", "later": "unknown"}])"), "accepted");
  EXPECT_THROW(router_from_json(nlohmann::json::array()), std::runtime_error);
  EXPECT_THROW(router_from_json({{"services", nlohmann::json::array()}, {"max_running", -1}}), std::runtime_error);
}

TEST(ServiceFacts, OfARouterMustHaveNamesByTheRule) {
  EXPECT_THAT(problems_of(RouterFacts{{}, {named("a"), named("a_1")}}), IsEmpty());
  EXPECT_THAT(problems_of(named("A")), ElementsAre(HasSubstr("bad service name \"A\"")));
  EXPECT_THAT(problems_of(named(std::string(256, 'a'))), ElementsAre(HasSubstr("bad service name")));
}

TEST(ServiceFacts, OfARouterMustNotRepeatAName) {
  EXPECT_THAT(problems_of(RouterFacts{{}, {named("a"), named("b"), named("a")}}),
              ElementsAre("service \"a\" is there twice"));
}

TEST(ServiceFacts, OfARouterMustNotBeNone) {
  EXPECT_THAT(problems_of(RouterFacts{}), ElementsAre("it offers no service"));
}

TEST(ServiceFacts, OfARouterMustHaveDocumentationThatCanBeShown) {
  ServiceFacts facts = named("a");
  facts.doc = "caf\xe9";
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("is not UTF-8")));
  facts.doc = std::string(20'000, 'x');
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("has 20000 bytes")));
}

TEST(ServiceFacts, OfARouterMustHaveSchemasAndAnExampleThatAreJson) {
  ServiceFacts facts = named("a");
  facts.request_schema = R"({"type": "object"})";
  facts.response_schema = "true";
  facts.example = "null";
  facts.example_assigns = "{\"user\": \"ann\"}";
  EXPECT_THAT(problems_of(facts), IsEmpty());
  facts.request_schema = "{\n\"type\" 1}";
  facts.response_schema = "[]";
  facts.example = "\"caf\xe9\"";
  facts.example_assigns = "[1]";
  EXPECT_THAT(
      problems_of(facts),
      ElementsAre(HasSubstr("the request's schema of service \"a\" is no JSON that can be shown: line 2, column 8"),
                  HasSubstr("the response's schema of service \"a\" is no JSON Schema"),
                  HasSubstr("the example of service \"a\" is no JSON that can be shown"),
                  HasSubstr("the example's assigns of service \"a\" is no map")));
}

TEST(ServiceFacts, OfARouterMustHaveSchemasAndAnExampleThatAreBounded) {
  ServiceFacts facts = named("a");
  facts.example = "\"" + std::string(65'535, 'x') + "\"";
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("has 65537 bytes, at most 65536 are kept")));
  facts.example = "\"" + std::string(65'534, 'x') + "\"";
  EXPECT_THAT(problems_of(facts), IsEmpty());
  facts.example = std::string(63, '[') + std::string(63, ']');
  EXPECT_THAT(problems_of(facts), IsEmpty());
  facts.example = std::string(64, '[') + std::string(64, ']');  // inside a document it would be too deep
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("is no JSON that can be shown")));
  facts.example = std::string(30'000, '[') + std::string(30'000, ']');
  EXPECT_THAT(problems_of(facts), ElementsAre(HasSubstr("is no JSON that can be shown")));
}

TEST(Printable, EscapesWhatWouldForgeALineOrIsNotUtf8) {
  EXPECT_EQ(printable("grün"), "grün");
  EXPECT_EQ(printable("a\nb\x1b[1m\xff"), "a\\x0ab\\x1b[1m\\xff");
  EXPECT_EQ(printable(std::string(400, 'x'), 10), "xxxxxxxxxx…");
}

TEST(InOneLine, CountsWhatItLeavesOut) {
  EXPECT_EQ(in_one_line({"a", "b", "c"}, ", ", 2), "a, b, and 1 more");
  EXPECT_EQ(in_one_line({}), "");
}

}  // namespace
}  // namespace busbar::host
