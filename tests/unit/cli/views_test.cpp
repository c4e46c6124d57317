#include "cli/views.hpp"

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using ::testing::HasSubstr;

std::string text_of_difference(const Json& difference) {
  const std::string head = "2 nodes, which do not see the same:\n  ";
  const std::string text = views_text(
      {{"views", {Json::object(), Json::object()}}, {"differences", {difference}}, {"agree", false}}, Palette(false));
  EXPECT_EQ(text.substr(0, head.size()), head);
  return text.substr(std::min(text.size(), head.size()));
}

TEST(ViewsText, SaysInOneLineThatAllAgree) {
  const Json three = {{"views", {Json::object(), Json::object(), Json::object()}}, {"agree", true}};
  EXPECT_EQ(views_text(three, Palette(false)), "all 3 nodes see the same\n");
  EXPECT_EQ(views_text({{"views", {Json::object()}}, {"agree", true}}, Palette(false)),
            "the only node sees no other\n");
}

TEST(ViewsText, HasALineForEachDifference) {
  EXPECT_EQ(text_of_difference({{"kind", "not_seen"},
                                {"node", "b"},
                                {"peer", "c"},
                                {"since", "noon"},
                                {"reason", "nothing was heard of it for 3000 ms"}}),
            "b does not see c since noon (nothing was heard of it for 3000 ms)\n");
  EXPECT_EQ(text_of_difference({{"kind", "not_seen"}, {"node", "b"}, {"peer", "c"}}),
            "b does not see c (it has not met it, as far as it remembers)\n");
  EXPECT_EQ(text_of_difference(
                {{"kind", "behind"}, {"node", "b"}, {"peer", "c"}, {"version", 3}, {"newest", 5}, {"since", "noon"}}),
            "b is behind: it has version 3 of c's record, the newest is 5 since noon\n");
  EXPECT_EQ(text_of_difference(
                {{"kind", "other_incarnation"}, {"node", "b"}, {"peer", "c"}, {"incarnation", 7}, {"newest", 8}}),
            "b knows an earlier start of c: incarnation 7, the latest is 8\n");
  EXPECT_EQ(text_of_difference({{"kind", "unreachable"}, {"node", "b"}, {"peer", "c"}}), "b sees c as unreachable\n");
  EXPECT_EQ(text_of_difference({{"kind", "suspect"}, {"node", "b"}, {"peer", "c"}, {"since", "noon"}}),
            "b sees c as suspect since noon\n");
  EXPECT_EQ(text_of_difference(
                {{"kind", "lost"}, {"node", "b"}, {"peer", "c"}, {"since", "noon"}, {"reason", "it was silent"}}),
            "b has lost c since noon (it was silent)\n");
  EXPECT_EQ(text_of_difference({{"kind", "no_answer"}, {"node", "d"}, {"reason", "it sleeps"}}),
            "d did not answer (it sleeps)\n");
}

TEST(ViewsText, MakesForeignTextSafe) {
  EXPECT_THAT(text_of_difference({{"kind", "no_answer"}, {"node", "d"}, {"reason", "a\nb"}}), HasSubstr("(a\\u000ab)"));
}

TEST(ViewsText, DoesNotTakeADocumentOfAnotherKindForAgreement) {
  for (const Json& unfit : {Json(), Json::object(), Json{{"agree", 1}}, Json{{"views", 7}, {"differences", {7}}}}) {
    EXPECT_FALSE(agree(unfit));
    EXPECT_THAT(views_text(unfit, Palette(false)), HasSubstr("do not see the same"));
  }
}

}  // namespace
}  // namespace busbar::cli
