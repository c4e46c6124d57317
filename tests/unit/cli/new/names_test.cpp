#include "cli/new/names.hpp"

#include <busbar/names.hpp>

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using ::testing::HasSubstr;

TEST(ProjectNames, FollowFromThePluginsName) {
  const struct {
    const char *plugin, *service, *type;
  } rows[] = {{"accounts", "accounts", "Accounts"},
              {"my-plugin", "my_plugin", "MyPlugin"},
              {"my_plugin", "my_plugin", "MyPlugin"},
              {"MyPlugin", "myplugin", "MyPlugin"},
              {"a.b--c", "a_b__c", "ABC"},
              {"3d-Print", "plugin_3d_print", "Plugin3dPrint"},
              {"7", "plugin_7", "Plugin7"}};
  for (const auto& row : rows) {
    const ProjectNames names = project_names(row.plugin);
    EXPECT_EQ(names.plugin, row.plugin);
    EXPECT_EQ(names.service, row.service);
    EXPECT_EQ(names.type, row.type);
  }
}

TEST(ProjectNames, MakeNamesThatServicesMayHaveOfWhateverAPluginMayBeCalled) {
  for (const std::string& plugin : {std::string(63, 'A'), std::string(63, '0'), "Z" + std::string(62, '.')}) {
    EXPECT_TRUE(is_service_name(project_names(plugin).service + "_greeted")) << plugin;
  }
}

TEST(ProjectNames, RefuseWhatCannotNameAPlugin) {
  for (const std::string& name : {std::string(), std::string("-a"), std::string("a/b"), std::string(".."),
                                  std::string("a b"), std::string("ä"), std::string(64, 'a'), std::string("a\0b", 3)}) {
    const Failure failure = failure_of([&] { project_names(name); });
    EXPECT_EQ(failure.status(), ExitStatus::usage) << name;
    EXPECT_THAT(failure.what(), HasSubstr("expected [A-Za-z0-9][A-Za-z0-9._-]{0,62}, found \"")) << name;
  }
}

TEST(ProjectNames, RefuseWhatCMakeWouldNotBuild) {
  for (const char* name : {"test", "all", "install", "RUN_TESTS"}) {
    const Failure failure = failure_of([&] { project_names(name); });
    EXPECT_EQ(failure.status(), ExitStatus::usage) << name;
    EXPECT_THAT(failure.what(), HasSubstr("is a name that CMake keeps for itself")) << name;
  }
}

}  // namespace
}  // namespace busbar::cli
