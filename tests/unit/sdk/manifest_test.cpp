// The tool that lists a plugin's services when it has been built: what it says of one that cannot be asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <busbar/abi.h>

#include <array>
#include <cstdio>
#include <string>

namespace busbar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Said {
  int status = -1;
  std::string text;
};

Said manifest_of(const std::string& name) {
  const std::string file = std::string(BUSBAR_FIXTURES) + "/" + name + "/" + name + ".so";
  std::FILE* const pipe = popen(("ulimit -c 0; '" BUSBAR_MANIFEST "' '" + file + "' /dev/null 2>&1").c_str(), "r");
  if (pipe == nullptr) return {};
  Said said;
  std::array<char, 1000> buffer;
  for (std::size_t size; (size = fread(buffer.data(), 1, buffer.size(), pipe)) != 0;)
    said.text.append(buffer.data(), size);
  said.status = pclose(pipe);
  return said;
}

void expect_refused(const std::string& name, const std::string& crash, const std::string& place) {
  const Said said = manifest_of(name);
  EXPECT_TRUE(WIFEXITED(said.status) && WEXITSTATUS(said.status) == 1) << said.status;
  EXPECT_THAT(said.text, AllOf(HasSubstr("could not list the services of \""), HasSubstr("/" + name + ".so\": it "),
                               HasSubstr(place), HasSubstr("(hint: a constructor runs already")));
  // A sanitizer turns a crash into a report and an exit.
  if (BUSBAR_BUILD_FLAGS == 0) {
    EXPECT_THAT(said.text, HasSubstr(crash));
  }
}

TEST(Manifest, SaysWhereAPluginCrashes) {
  expect_refused("crashes_in_create", "crashed with SIGABRT", "while its router was made (its constructor)");
  expect_refused("crashes_in_initialiser", "crashed with SIGSEGV", "while it was loaded and its static initialisers");
  expect_refused("crashes_in_destroy", "crashed with SIGBUS", "while its router was destroyed");
  expect_refused("exits_in_create", "ended its process with status 0", "while its router was made (its constructor)");
}

TEST(Manifest, SaysOnceWhatAPluginSaysItself) {
  const Said said = manifest_of("create_fails");
  EXPECT_TRUE(WIFEXITED(said.status) && WEXITSTATUS(said.status) == 1) << said.status;
  EXPECT_THAT(said.text,
              AllOf(StartsWith("could not list"), HasSubstr("its constructor failed: no licence was found")));
  EXPECT_EQ(said.text.find("hint"), std::string::npos) << said.text;
}

TEST(Manifest, HasNothingToSayOfAGoodPlugin) {
  const Said said = manifest_of("good");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.text, "");
}

}  // namespace
}  // namespace busbar
