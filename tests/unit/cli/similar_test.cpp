#include "cli/similar.hpp"

#include <nlohmann/json.hpp>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using nlohmann::json;

/// A host that knows these services.
Ask host_of(const std::vector<std::string>& names) {
  json services = json::array();
  for (const std::string& name : names) services.push_back({{"name", name}});
  return [services](const wire::AdminRequest&) {
    wire::AdminAnswer answer;
    answer.document = cbor::from_json(json{{"services", services}});
    return answer;
  };
}

TEST(Distance, CountsTheSlips) {
  EXPECT_EQ(distance("greet", "greet"), 0u);
  EXPECT_EQ(distance("gret", "greet"), 1u);
  EXPECT_EQ(distance("greets", "greet"), 1u);
  EXPECT_EQ(distance("gruet", "greet"), 1u);
  EXPECT_EQ(distance("geret", "greet"), 1u) << "neighbours that were exchanged are one slip";
  EXPECT_EQ(distance("ab", "ba"), 1u);
  EXPECT_EQ(distance("", "greet"), 5u);
  EXPECT_EQ(distance("greet", ""), 5u);
  EXPECT_EQ(distance("open_account", "close_account"), 4u);
}

TEST(SimilarService, IsTheNearestOneThatIsNearEnough) {
  const Ask host = host_of({"greeting", "greet", "wave"});
  EXPECT_EQ(similar_service("gret", host), "greet");
  EXPECT_EQ(similar_service("greetng", host), "greeting");
  EXPECT_EQ(similar_service("wvae", host), "wave");
  EXPECT_EQ(similar_service("elephant", host), std::nullopt);
  EXPECT_EQ(similar_service("go", host), std::nullopt);
}

TEST(SimilarService, IsNoneWhereTheNameIsKnown) {
  EXPECT_EQ(similar_service("greet", host_of({"greet", "gret"})), std::nullopt);
  EXPECT_EQ(similar_service("greet", host_of({"gret", "greet"})), std::nullopt);
}

TEST(SimilarService, IsNoneWhereTheHostDoesNotSay) {
  EXPECT_EQ(similar_service("gret", [](const wire::AdminRequest&) { return wire::AdminAnswer(); }), std::nullopt);
  EXPECT_EQ(similar_service("gret",
                            [](const wire::AdminRequest&) -> wire::AdminAnswer {
                              throw Failure(ExitStatus::no_host, "no_host", "it went away");
                            }),
            std::nullopt);
}

}  // namespace
}  // namespace busbar::cli
