// What changes of a service mean for its callers.
#include "plugins/file/compare.hpp"

#include <functional>

#include "support.hpp"

namespace busbar::host {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> lines(const std::vector<Change>& changes) {
  std::vector<std::string> out;
  for (const Change& change : changes) out.push_back(std::string(to_text(change.weight)) + " " + change.text);
  return out;
}

/// What a change of field `f` from `older` to `newer` means: of a request, and of a response.
struct Meaning {
  std::vector<std::string> request, response;
};

json record(const json& field, bool required = true) {
  json schema = {{"type", "object"}, {"properties", {{"f", field}}}};
  if (required) schema["required"] = {"f"};
  return schema;
}

Meaning of_records(const json& older, const json& newer) {
  return {lines(compare_schemas(Side::request, older, newer)), lines(compare_schemas(Side::response, older, newer))};
}
Meaning of_field(const json& older, const json& newer) { return of_records(record(older), record(newer)); }

const json kText = {{"type", "string"}};
const json kNumber = {{"type", "number"}};
const json kByte = {{"type", "integer"}, {"minimum", 0}, {"maximum", 255}};
const json kShort = {{"type", "integer"}, {"minimum", 0}, {"maximum", 65535}};
json choice(std::initializer_list<const char*> names) {
  json schema = {{"type", "string"}, {"enum", json::array()}};
  for (const char* name : names) schema["enum"].push_back(name);
  return schema;
}
json nullable(const json& schema) { return {{"anyOf", {schema, {{"type", "null"}}}}}; }
json list(const json& items) { return {{"type", "array"}, {"items", items}}; }

TEST(CompareSchemas, FindNothingWhereNothingHasChanged) {
  for (const json& schema : {kText, kByte, choice({"a"}), nullable(kText), list(kText), json(true), json::object()}) {
    const Meaning same = of_field(schema, schema);
    EXPECT_THAT(same.request, IsEmpty()) << schema;
    EXPECT_THAT(same.response, IsEmpty()) << schema;
  }
}

TEST(CompareSchemas, AnotherTypeBreaksBoth) {
  const Meaning other = of_field(kText, kByte);
  EXPECT_THAT(other.request, ElementsAre("breaks request field \"f\": was text, is integer 0…255"));
  EXPECT_THAT(other.response, ElementsAre("breaks response field \"f\": was text, is integer 0…255"));
}

TEST(CompareSchemas, AWiderTypeIsFineInARequestAndANarrowerOneInAResponse) {
  const Meaning wider = of_field(kByte, kNumber);
  EXPECT_THAT(wider.request, ElementsAre("fine request field \"f\": was integer 0…255, is number"));
  EXPECT_THAT(wider.response, ElementsAre("breaks response field \"f\": was integer 0…255, is number"));
  const Meaning narrower = of_field(kText, choice({"a", "b"}));
  EXPECT_THAT(narrower.request, ElementsAre("breaks request field \"f\": was text, is one of a, b"));
  EXPECT_THAT(narrower.response, ElementsAre("fine response field \"f\": was text, is one of a, b"));
  EXPECT_THAT(of_field(kText, true).request, ElementsAre("fine request field \"f\": was text, is anything"));
}

TEST(CompareSchemas, ARangeThatShrinksBreaksRequestsAndOneThatGrowsIsWarnedOfInResponses) {
  EXPECT_THAT(of_field(kShort, kByte).request,
              ElementsAre("breaks request field \"f\": was integer 0…65535, is integer 0…255"));
  EXPECT_THAT(of_field(kByte, kShort).request,
              ElementsAre("fine request field \"f\": was integer 0…255, is integer 0…65535"));
  EXPECT_THAT(of_field(kByte, kShort).response,
              ElementsAre("warns response field \"f\": was integer 0…255, is integer 0…65535"));
  EXPECT_THAT(of_field(kShort, kByte).response,
              ElementsAre("fine response field \"f\": was integer 0…65535, is integer 0…255"));
}

TEST(CompareSchemas, NamesOfAnEnumMayComeInRequestsAndGoInResponses) {
  const Meaning changed = of_field(choice({"a", "b"}), choice({"b", "c"}));
  EXPECT_THAT(changed.request,
              ElementsAre("breaks request field \"f\": \"a\" is gone", "fine request field \"f\": \"c\" is new"));
  EXPECT_THAT(changed.response,
              ElementsAre("fine response field \"f\": \"a\" is gone", "warns response field \"f\": \"c\" is new"));
}

TEST(CompareSchemas, FieldsThatComeAndGo) {
  const json none = {{"type", "object"}, {"properties", json::object()}};
  EXPECT_THAT(of_records(none, record(kText)).request, ElementsAre("breaks request field \"f\": is new and required"));
  EXPECT_THAT(of_records(none, record(kText, false)).request, ElementsAre("fine request field \"f\": is new"));
  EXPECT_THAT(of_records(none, record(kText)).response, ElementsAre("fine response field \"f\": is new"));
  EXPECT_THAT(of_records(record(kText), none).request, ElementsAre("warns request field \"f\": is gone"));
  EXPECT_THAT(of_records(record(kText), none).response, ElementsAre("breaks response field \"f\": is gone"));
}

TEST(CompareSchemas, FieldsThatBecomeRequiredOrOptionalAreToldOnce) {
  const json optional = record(nullable(kText), false), required = record(kText);
  EXPECT_THAT(of_records(optional, required).request, ElementsAre("breaks request field \"f\": is required now"));
  EXPECT_THAT(of_records(required, optional).request,
              ElementsAre("fine request field \"f\": need not be given any more"));
  EXPECT_THAT(of_records(optional, required).response, ElementsAre("fine response field \"f\": is always there now"));
  EXPECT_THAT(of_records(required, optional).response, ElementsAre("breaks response field \"f\": may be missing now"));
}

TEST(CompareSchemas, NullIsAValueToo) {
  const Meaning nulled = of_field(kText, nullable(kText)), refused = of_field(nullable(kText), kText);
  EXPECT_THAT(nulled.request, ElementsAre("fine request field \"f\": was text, is text or null"));
  EXPECT_THAT(nulled.response, ElementsAre("breaks response field \"f\": was text, is text or null"));
  EXPECT_THAT(refused.request, ElementsAre("breaks request field \"f\": was text or null, is text"));
  EXPECT_THAT(refused.response, ElementsAre("fine response field \"f\": was text or null, is text"));
}

TEST(CompareSchemas, LookIntoWhatHoldsTypes) {
  const auto tuple = [](const json& second) -> json {
    return {{"type", "array"}, {"prefixItems", {kText, second}}, {"minItems", 2}, {"maxItems", 2}};
  };
  const auto map = [](const json& value) -> json { return {{"type", "object"}, {"additionalProperties", value}}; };
  EXPECT_THAT(of_field(list(record(kText)), list(record(kNumber))).request,
              ElementsAre("breaks request field \"f[].f\": was text, is number"));
  EXPECT_THAT(of_field(tuple(kText), tuple(kNumber)).request,
              ElementsAre("breaks request field \"f[1]\": was text, is number"));
  EXPECT_THAT(of_field(map(kText), map(kNumber)).request,
              ElementsAre("breaks request field \"f.*\": was text, is number"));
  EXPECT_THAT(of_field(nullable(kText), nullable(kNumber)).request,
              ElementsAre("breaks request field \"f\": was text or null, is number or null"));
}

TEST(CompareSchemas, TheNumberOfElementsCounts) {
  const auto fixed = [](int size) -> json {
    return {{"type", "array"}, {"items", kText}, {"minItems", size}, {"maxItems", size}};
  };
  EXPECT_THAT(of_field(fixed(2), fixed(3)).request,
              ElementsAre("breaks request field \"f\": the number of its elements has changed"));
  EXPECT_THAT(of_field(list(kText), fixed(3)).response,
              ElementsAre("fine response field \"f\": the number of its elements has changed"));
}

TEST(CompareSchemas, AlternativesOfAVariantAreLikeNamesOfAnEnum) {
  const auto variant = [](const char* name, const json& value) -> json {
    return {{"oneOf",
             {{{"type", "object"},
               {"properties", {{"type", {{"const", name}}}, {"value", value}}},
               {"required", {"type", "value"}}}}}};
  };
  EXPECT_THAT(of_field(variant("a", kText), variant("b", kText)).request,
              ElementsAre("breaks request field \"f\": \"a\" is gone", "fine request field \"f\": \"b\" is new"));
  EXPECT_THAT(of_field(variant("a", kText), variant("a", kNumber)).response,
              ElementsAre("breaks response field \"f<a>\": was text, is number"));
}

TEST(CompareSchemas, DefaultsAndUnitsHaveAMeaning) {
  json one = kByte, two = kByte, seconds = kByte, minutes = kByte;
  one["default"] = 1;
  two["default"] = 2;
  seconds["description"] = "seconds";
  minutes["description"] = "minutes";
  EXPECT_THAT(of_field(one, two).request, ElementsAre("warns request field \"f\": its default was 1, is 2"));
  EXPECT_THAT(of_field(seconds, minutes).request,
              ElementsAre("breaks request field \"f\": counted seconds, counts minutes"));
}

TEST(CompareSchemas, ATypeWithinItselfIsComparedOnce) {
  const auto tree = [](const json& name) -> json {
    return {{"$ref", "#/$defs/Tree"},
            {"$defs",
             {{"Tree",
               {{"type", "object"},
                {"properties", {{"name", name}, {"children", list({{"$ref", "#/$defs/Tree"}})}}},
                {"required", {"name", "children"}}}}}}};
  };
  EXPECT_THAT(lines(compare_schemas(Side::request, tree(kText), tree(kNumber))),
              ElementsAre("breaks request field \"name\": was text, is number"));
}

TEST(CompareSchemas, OfAnotherKindAreOnlySaidToDiffer) {
  const json one = {{"type", "string"}, {"pattern", "a"}};  // a pattern is not looked at
  EXPECT_THAT(of_field(one, kText).request, IsEmpty());
  const json odd = {{"not", kText}}, other = {{"not", kNumber}};
  EXPECT_THAT(of_field(odd, other).request,
              ElementsAre("warns request field \"f\": has changed in a way that is not understood"));
  for (const char* text : {R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})", R"({"$ref": 5})", "5",
                           R"({"$ref": "#/nowhere"})", R"({"type": "object", "properties": {"f": 1}, "required": 1})",
                           R"({"type": "array", "items": null})", R"({"oneOf": [1, {}]})", R"({"anyOf": [1, 2]})",
                           R"({"type": ["string"]})", R"({"enum": [1], "type": "string"})", "false"}) {
    const json schema = json::parse(text);
    EXPECT_THAT(compare_schemas(Side::request, schema, schema), IsEmpty()) << text;
    compare_schemas(Side::response, schema, kText);
    compare_schemas(Side::response, kText, schema);
  }
}

// -- whole services

ServiceFacts service(const std::function<void(ServiceFacts&)>& change = {}) {
  ServiceFacts facts;
  facts.name = "a";
  if (change) change(facts);
  return facts;
}

std::vector<std::string> between(const ServiceFacts& older, const ServiceFacts& newer) {
  return lines(compare_routers({{}, {older}}, {{}, {newer}}));
}

TEST(CompareServices, ThatComeAndGo) {
  ServiceFacts b = service();
  b.name = "b";
  EXPECT_EQ(compare_routers({{}, {service()}}, {{}, {b}}),
            (std::vector<Change>{{Weight::breaks, "a", "is gone"}, {Weight::fine, "b", "is new"}}));
}

TEST(CompareServices, PromisesThatAreTakenBackBreak) {
  const auto idempotent = service([](auto& facts) { facts.idempotent = true; });
  const auto dry_run_safe = service([](auto& facts) { facts.dry_run_safe = true; });
  const auto hidden = service([](auto& facts) { facts.is_private = true; });
  EXPECT_THAT(between(idempotent, service()), ElementsAre("breaks was idempotent, is not any more"));
  EXPECT_THAT(between(service(), idempotent), ElementsAre("fine is idempotent now"));
  EXPECT_THAT(between(dry_run_safe, service()), ElementsAre("breaks was dry-run safe, is not any more"));
  EXPECT_THAT(between(service(), hidden),
              ElementsAre("breaks was public, is private: other nodes cannot call it any more"));
  EXPECT_THAT(between(hidden, service()), ElementsAre("fine was private, is public"));
}

TEST(CompareServices, HowTheyRunIsNoted) {
  const auto inlined = service([](auto& facts) { facts.is_inline = true; });
  const auto quick = service([](auto& facts) { facts.timeout_ms = 100; });
  EXPECT_THAT(between(service(), inlined), ElementsAre("fine is inline now: no timeout can hold"));
  EXPECT_THAT(between(inlined, service()), ElementsAre("fine is not inline any more"));
  EXPECT_THAT(between(service(), quick), ElementsAre("warns its timeout was 5000 ms, is 100 ms"));
  EXPECT_THAT(between(quick, service()), ElementsAre("fine its timeout was 100 ms, is 5000 ms"));
}

// C-D3: which provider serves is promised to nobody; but who counts on a key should know.
TEST(CompareServices, AnotherStrategyBreaksNobody) {
  const auto least = service([](auto& facts) { facts.strategy = "least_pending"; });
  const auto sticky = service([](auto& facts) { facts.strategy = "sticky", facts.sticky_field = "town"; });
  EXPECT_THAT(between(service(), least), ElementsAre("fine its strategy was random, is least_pending"));
  EXPECT_THAT(between(service(), sticky), ElementsAre("fine its strategy was random, is sticky by \"town\""));
  EXPECT_THAT(between(sticky, least), ElementsAre("warns its strategy was sticky by \"town\", is least_pending"));
  EXPECT_THAT(between(service(), service([](auto& facts) { facts.strategy = "random"; })), IsEmpty());
}

TEST(CompareServices, LimitsThatTakeLessAreWarnedOf) {
  const auto eight = service([](auto& facts) { facts.limit = {8, 10}; });
  const auto four = service([](auto& facts) { facts.limit = {4, 10}; });
  EXPECT_THAT(between(service(), eight), ElementsAre("warns its limit was none, is 8 at a time and 10 that wait"));
  EXPECT_THAT(between(eight, four), ElementsAre(HasSubstr("warns its limit was 8")));
  EXPECT_THAT(between(four, eight), ElementsAre(HasSubstr("fine its limit was 4")));
  EXPECT_THAT(between(eight, service()), ElementsAre(HasSubstr("fine its limit was 8")));
  const auto no_line = service([](auto& facts) { facts.limit = {8, 0}; });
  EXPECT_THAT(between(eight, no_line), ElementsAre(HasSubstr("warns its limit was 8")));
}

TEST(ComparePlugins, LimitsThatTakeLessAreWarnedOf) {
  const auto between = [](const wire::CallLimit& older, const wire::CallLimit& newer) {
    return compare_routers({older, {service()}}, {newer, {service()}});
  };
  EXPECT_EQ(between({}, {8, BUSBAR_NO_LIMIT}),
            (std::vector<Change>{{Weight::warns, "", "its limit was none, is 8 at a time"}}));
  EXPECT_EQ(between({8, 5}, {8, 6}), (std::vector<Change>{{Weight::fine, "",
                                                           "its limit was 8 at a time and 5 that wait, is 8 at a time "
                                                           "and 6 that wait"}}));
  EXPECT_THAT(between({8, 5}, {8, 5}), IsEmpty());
}

TEST(CompareServices, SchemasThatOneVersionDoesNotSayAreWarnedOf) {
  const auto said = service([](auto& facts) { facts.request_schema = facts.response_schema = "{}"; });
  EXPECT_THAT(between(service(), said),
              ElementsAre("warns says only now what its requests are", "warns says only now what its responses are"));
  EXPECT_THAT(between(said, service()), ElementsAre("warns does not say any more what its requests are",
                                                    "warns does not say any more what its responses are"));
  EXPECT_THAT(between(said, said), IsEmpty());
}

TEST(CompareServices, WhatBreaksComesFirst) {
  const auto older = service([](auto& facts) { facts.timeout_ms = 100, facts.idempotent = true; });
  const auto newer = service([](auto& facts) { facts.timeout_ms = 50, facts.dry_run_safe = true; });
  EXPECT_THAT(between(older, newer), ElementsAre("breaks was idempotent, is not any more",
                                                 "warns its timeout was 100 ms, is 50 ms", "fine is dry-run safe now"));
}

}  // namespace
}  // namespace busbar::host
