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

TEST(ServiceFacts, SurviveJson) {
  const std::vector<ServiceFacts> services = {
      {"a", "Does ä.", true, true, true, true, 86'400'000, R"({"type":"null"})", "true", "[1]"}, named("b")};
  EXPECT_EQ(services_from_json(to_json(services)), services);
}

TEST(ServiceFacts, KeepStrategiesAndLimitsInJson) {
  ServiceFacts sticky = named("a"), bounded = named("b"), unbounded = named("c");
  sticky.strategy = "sticky";
  sticky.sticky_field = "town";
  bounded.max_running = 8;
  unbounded.max_running = 8;
  unbounded.max_queued = BUSBAR_NO_LIMIT;
  EXPECT_EQ(services_from_json(to_json({sticky, bounded, unbounded})),
            (std::vector<ServiceFacts>{sticky, bounded, unbounded}));
  EXPECT_EQ(strategy_text(sticky), "sticky by \"town\"");
  EXPECT_EQ(strategy_text(bounded), "random");
  EXPECT_EQ(limit_text(sticky), "none");
  EXPECT_EQ(limit_text(bounded), "8 at a time and 0 that wait");
  EXPECT_EQ(limit_text(unbounded), "8 at a time");
}

TEST(ServiceFacts, OfARouterMustHaveStickyFieldsThatRecordsCanCarry) {
  ServiceFacts facts = named("a");
  facts.sticky_field = std::string(1024, 'f');
  EXPECT_THAT(problems_of({facts}), IsEmpty());
  facts.sticky_field += "f";
  EXPECT_THAT(problems_of({facts}), ElementsAre(HasSubstr("at most 1024 of UTF-8")));
  facts.sticky_field = "\xff";
  EXPECT_THAT(problems_of({facts}), ElementsAre(HasSubstr("sticky field")));
}

TEST(ServiceFacts, RefuseJsonOfAnotherShapeAndSayWhere) {
  const auto message = [](const char* text) -> std::string {
    try {
      services_from_json(nlohmann::json::parse(text));
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
  EXPECT_EQ(message(R"([{"name": "a", "later": "unknown"}])"), "accepted");
}

TEST(ServiceFacts, OfARouterMustHaveNamesByTheRule) {
  EXPECT_THAT(problems_of({named("a"), named("a_1")}), IsEmpty());
  EXPECT_THAT(problems_of({named("A")}), ElementsAre(HasSubstr("bad service name \"A\"")));
  EXPECT_THAT(problems_of({named(std::string(256, 'a'))}), ElementsAre(HasSubstr("bad service name")));
}

TEST(ServiceFacts, OfARouterMustNotRepeatAName) {
  EXPECT_THAT(problems_of({named("a"), named("b"), named("a")}), ElementsAre("service \"a\" is there twice"));
}

TEST(ServiceFacts, OfARouterMustNotBeNone) { EXPECT_THAT(problems_of({}), ElementsAre("it offers no service")); }

TEST(ServiceFacts, OfARouterMustHaveDocumentationThatCanBeShown) {
  ServiceFacts facts = named("a");
  facts.doc = "caf\xe9";
  EXPECT_THAT(problems_of({facts}), ElementsAre(HasSubstr("is not UTF-8")));
  facts.doc = std::string(20'000, 'x');
  EXPECT_THAT(problems_of({facts}), ElementsAre(HasSubstr("has 20000 bytes")));
}

TEST(ServiceFacts, OfARouterMustHaveSchemasAndAnExampleThatAreJson) {
  ServiceFacts facts = named("a");
  facts.request_schema = R"({"type": "object"})";
  facts.response_schema = "true";
  facts.example = "null";
  EXPECT_THAT(problems_of({facts}), IsEmpty());
  facts.request_schema = "{\n\"type\" 1}";
  facts.response_schema = "[]";
  facts.example = "\"caf\xe9\"";
  EXPECT_THAT(
      problems_of({facts}),
      ElementsAre(HasSubstr("the request's schema of service \"a\" is no JSON that can be shown: line 2, column 8"),
                  HasSubstr("the response's schema of service \"a\" is no JSON Schema"),
                  HasSubstr("the example of service \"a\" is no JSON that can be shown")));
}

TEST(ServiceFacts, OfARouterMustHaveSchemasAndAnExampleThatAreBounded) {
  ServiceFacts facts = named("a");
  facts.example = "\"" + std::string(65'535, 'x') + "\"";
  EXPECT_THAT(problems_of({facts}), ElementsAre(HasSubstr("has 65537 bytes, at most 65536 are kept")));
  facts.example = "\"" + std::string(65'534, 'x') + "\"";
  EXPECT_THAT(problems_of({facts}), IsEmpty());
  facts.example = std::string(63, '[') + std::string(63, ']');
  EXPECT_THAT(problems_of({facts}), IsEmpty());
  facts.example = std::string(64, '[') + std::string(64, ']');  // inside a document it would be too deep
  EXPECT_THAT(problems_of({facts}), ElementsAre(HasSubstr("is no JSON that can be shown")));
  facts.example = std::string(30'000, '[') + std::string(30'000, ']');
  EXPECT_THAT(problems_of({facts}), ElementsAre(HasSubstr("is no JSON that can be shown")));
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
