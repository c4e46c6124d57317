// `busbar new`, which needs no host. tools/new.sh builds and uses what it writes.
#include <unistd.h>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class New : public SystemTest {
 protected:
  void SetUp() override { fs::create_directory(here); }

  Answer make(std::vector<std::string> more) const {
    more.insert(more.begin(), "new");
    more.insert(more.end(), {"--directory", here.string()});
    return host.ask(std::move(more));
  }
  /// The same under a shell that first does `before`.
  Ended make_after(const std::string& before, std::vector<std::string> program = {"/bin/sh"}) const {
    Command command;
    command.arguments = std::move(program);
    const std::vector<std::string> rest = {
        "-c", before + "; exec \"$0\" \"$@\"", tested::busbar(), "new", "tea-pot", "--directory", here.string()};
    command.arguments.insert(command.arguments.end(), rest.begin(), rest.end());
    command.scratch = host.root() / "said";
    return run(command);
  }

  const fs::path here = host.root() / "here";
};

TEST_F(New, WritesAProjectAndSaysWhichFilesItHas) {
  const Answer answer = make({"tea-pot"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.json["directory"], (here / "tea-pot").string());
  for (const Json& file : answer.json["files"])
    EXPECT_GT(fs::file_size(here / "tea-pot" / file.get<std::string>()), 0u);
  EXPECT_THAT(read_file(here / "tea-pot/CMakeLists.txt"), HasSubstr("busbar_add_plugin(tea-pot router.cpp)"));
}

TEST_F(New, TellsPeopleTheNextCommands) {
  const Ended ended = host.busbar({"new", "tea-pot", "--directory", here});
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("\nnext:\n  cd " + (here / "tea-pot").string() + "\n  cmake "));
  EXPECT_EQ(ended.err, "");
}

TEST_F(New, RefusesNamesThatNoPluginCanHave) {
  for (const char* name : {"../x", "a b", "test", ""}) {
    const Answer answer = make({name});
    EXPECT_EQ(answer.status, 2) << name;
    EXPECT_EQ(answer.json["error"]["code"], "usage") << name;
  }
  EXPECT_EQ(make({}).status, 2);
  EXPECT_TRUE(fs::is_empty(here));
}

TEST_F(New, DoesNotWriteOverAProject) {
  make({"tea-pot"});
  write_file(here / "tea-pot/router.cpp", "mine");
  const Answer answer = make({"tea-pot"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.json["error"]["code"], "local");
  EXPECT_THAT(answer.json["error"]["text"].get<std::string>(), HasSubstr("the directory is there and not empty"));
  EXPECT_EQ(read_file(here / "tea-pot/router.cpp"), "mine");
}

TEST_F(New, SaysWhyItCannotWriteThere) {
  fs::permissions(here, fs::perms::owner_read | fs::perms::owner_exec);
  // Permissions do not bind root, unless it has no capabilities.
  const auto program = ::geteuid() == 0 ? std::vector<std::string>{"/usr/bin/setpriv", "--bounding-set=-all", "/bin/sh"}
                                        : std::vector<std::string>{"/bin/sh"};
  const Ended ended = make_after(":", program);
  fs::permissions(here, fs::perms::owner_all);
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.err,
              HasSubstr("could not make the project \"" + (here / "tea-pot").string() + "\": permission denied"));
}

// A limit on the size of files stands for a disk that is full: a write fails in the middle.
TEST_F(New, LeavesNothingBehindWhereTheDiskIsFull) {
  const Ended ended = make_after("trap '' XFSZ; ulimit -f 2");
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.err,
              HasSubstr("could not write \"" + (here / "tea-pot/router.hpp").string() + "\": file too large"));
  EXPECT_TRUE(fs::is_empty(here));
}

TEST_F(New, TellsHowItIsUsed) {
  const Ended help = host.busbar({"new", "--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* part : {"NAME", "--directory DIR", "busbar new my-plugin"}) EXPECT_THAT(help.out, HasSubstr(part));
}

}  // namespace
}  // namespace busbar::system_tests
