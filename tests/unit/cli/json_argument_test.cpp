#include "cli/json_argument.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json read(const std::string& argument, const std::string& input = {}) {
  std::istringstream in(input);
  return cbor::to_json(read_json_argument(argument, in));
}

TEST(JsonArgument, IsTheJsonItself) {
  EXPECT_EQ(read("{\"name\": \"Ada\"}"), json({{"name", "Ada"}}));
  EXPECT_EQ(read("null"), json());
}

TEST(JsonArgument, KeepsIntegersExact) {
  EXPECT_EQ(read("18446744073709551615"), 18446744073709551615u);
  EXPECT_EQ(read("-9223372036854775808").dump(), "-9223372036854775808");
}

TEST(JsonArgument, MayBeAFileOrStandardInput) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "request.json";
  std::ofstream(path) << "[1, 2]\n";
  EXPECT_EQ(read("@" + path), json({1, 2}));
  EXPECT_EQ(read("-", "{\n}\n"), json::object());
}

TEST(JsonArgument, SaysWhereItIsNoJson) {
  const Failure failure = failure_of([] { read("{\n  \"a\": tru\n}"); });
  EXPECT_EQ(failure.status(), ExitStatus::usage);
  EXPECT_EQ(failure.code(), "json");
  EXPECT_THAT(failure.what(), HasSubstr("line 2, column 8"));
  ASSERT_TRUE(failure.position());
  EXPECT_EQ(failure.position()->line, 2u);
  EXPECT_EQ(failure.position()->column, 8u);
}

TEST(JsonArgument, SaysWhichFileIsNoJsonOrCannotBeRead) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "broken.json";
  std::ofstream(path) << "[1,";
  EXPECT_THAT(failure_of([&] { read("@" + path); }).what(), HasSubstr("broken.json\": line 1, column 4"));
  const Failure missing = failure_of([&] { read("@" + path + "x"); });
  EXPECT_EQ(missing.status(), ExitStatus::usage);
  EXPECT_THAT(missing.what(), HasSubstr("broken.jsonx\": no such file or directory"));
  EXPECT_THAT(failure_of([&] { read("@" + directory.path().string()); }).what(), HasSubstr("it is a directory"));
  // The memory of this process, of which there is none at its beginning.
  EXPECT_THAT(failure_of([&] { read("@/proc/self/mem"); }).what(), HasSubstr("it could not be read to its end"));
}

TEST(JsonArgument, NothingOnStandardInputIsNoJson) {
  EXPECT_EQ(failure_of([] { read("-", ""); }).code(), "json");
}

TEST(Assigns, BecomeAMap) {
  EXPECT_EQ(cbor::to_json(read_assigns({})), json::object());
  EXPECT_EQ(cbor::to_json(read_assigns({"user=\"ada\"", "path=\"a=b\"", "n=1", "n=2"})),
            json({{"user", "ada"}, {"path", "a=b"}, {"n", 2}}));
}

TEST(Assigns, SayWhatIsWrongWithThem) {
  EXPECT_THAT(failure_of([] { read_assigns({"novalue"}); }).what(), HasSubstr("expected KEY=JSON"));
  EXPECT_THAT(failure_of([] { read_assigns({"=1"}); }).what(), HasSubstr("expected KEY=JSON"));
  EXPECT_THAT(failure_of([] { read_assigns({"user=ada"}); }).what(), HasSubstr("--assign \"user\": line 1, column 1"));
  EXPECT_EQ(failure_of([] { read_assigns({"\xff=1"}); }).status(), ExitStatus::usage);
}

TEST(Assigns, HintAtTheQuotesOfAText) {
  const auto hint = [](const std::string& argument) { return failure_of([&] { read_assigns({argument}); }).hint(); };
  EXPECT_EQ(hint("user=ann"), "a text has quotes of its own: --assign 'user=\"ann\"'");
  EXPECT_EQ(hint("user=it's me"), R"(a text has quotes of its own: --assign 'user="it'\''s me"')");
  EXPECT_EQ(hint("user=\"ann"), "") << "it has quotes; another thing is wrong";
  EXPECT_EQ(hint("user={ann}"), "");
  EXPECT_EQ(hint("user="), "");
}

}  // namespace
}  // namespace busbar::cli
