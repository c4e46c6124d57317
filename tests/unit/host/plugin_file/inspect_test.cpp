// What is found in plugins as compilers and linkers make them, good and faulty. Damaged files: damage_test.cpp.
#include "plugins/file/inspect.hpp"

#include <dlfcn.h>

#include "support.hpp"

namespace busbar::host {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::fixture;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(InspectPlugin, FindsNothingWrongWithAGoodOne) {
  const PluginFile file = inspect(fixture("good"));
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_THAT(file.warnings, IsEmpty());
  EXPECT_FALSE(file.incomplete);
  EXPECT_EQ(file.unloadable, BUSBAR_BUILD_FLAGS == 0);
  EXPECT_FALSE(file.static_tls);
  EXPECT_THAT(file.needed, Contains(StartsWith("libc.so.")));
}

TEST(InspectPlugin, ReadsTheDescriptor) {
  const PluginFile file = inspect(fixture("good"));
  EXPECT_EQ(file.name, "good");
  EXPECT_EQ(file.version, "1.0.0");
  EXPECT_THAT(file.compiler, ::testing::AnyOf(StartsWith("gcc "), StartsWith("clang ")));
  ASSERT_TRUE(file.descriptor);
  EXPECT_EQ(file.descriptor->abi_major, BUSBAR_ABI_MAJOR);
  EXPECT_EQ(file.descriptor->abi_minor, BUSBAR_ABI_MINOR);
}

TEST(InspectPlugin, ReadsTheServicesFromTheManifest) {
  const PluginFile file = inspect(fixture("good"));
  ASSERT_TRUE(file.router) << "the build has put no manifest into the fixture";
  EXPECT_THAT(file.router->services, ElementsAre(ServiceFacts{"good", "Answers ok.", false, false, true, false, 250}));
}

TEST(InspectPlugin, KnowsNoServicesWithoutAManifest) {
  const PluginFile file = inspect(fixture("no_manifest"));
  EXPECT_TRUE(file.ok()) << file.reason();
  EXPECT_FALSE(file.router);
}

TEST(InspectPlugin, RefusesAnotherAbiMajorWithBothNumbers) {
  // Nothing is believed of such a one, as what the sanitizers of its build leave to the host to define.
  EXPECT_THAT(inspect(fixture("other_abi_major")).reason(),
              StartsWith("is built for plugin ABI 3, this host accepts 1"));
}

TEST(InspectPlugin, RefusesALibraryWithoutDescriptor) {
  EXPECT_THAT(inspect(fixture("no_descriptor")).reason(), HasSubstr("has no plugin descriptor"));
}

TEST(InspectPlugin, RefusesALibraryWithoutEntryFunction) {
  EXPECT_EQ(inspect(fixture("no_entry")).reason(), "exports no function \"busbar_plugin_entry\"");
}

TEST(InspectPlugin, RefusesABadPluginName) {
  const PluginFile file = inspect(fixture("bad_plugin_name"));
  EXPECT_THAT(file.reason(), HasSubstr("bad plugin name \"no/name\""));
  EXPECT_EQ(file.name, "");
}

TEST(InspectPlugin, NamesAnUndefinedSymbol) {
  EXPECT_EQ(inspect(fixture("undefined_symbol")).reason(), "undefined symbol \"busbar_tests_nobody_defines_this\"");
}

TEST(InspectPlugin, NamesAMissingLibrary) {
  EXPECT_EQ(inspect(fixture("missing_dependency")).reason(),
            "needs library \"libbusbar_tests_absent.so\", which was not found");
}

TEST(InspectPlugin, ExplainsWhyAHelperBesideThePluginIsNotFound) {
  const testing::TemporaryFolder folder;
  const auto plugin = folder / "missing_dependency.so";
  std::filesystem::copy(fixture("missing_dependency"), plugin);
  testing::write_text(folder / "libbusbar_tests_absent.so", "anything");
  EXPECT_THAT(inspect(plugin).reason(), HasSubstr("the host loads a private copy"));
}

TEST(InspectPlugin, FindsLibrariesOnTheSearchPathOfTheEnvironment) {
  const std::string folder = std::string(BUSBAR_FIXTURES) + "/elsewhere";
  ASSERT_EQ(setenv("LD_LIBRARY_PATH", folder.c_str(), 1), 0);
  const PluginFile file = inspect(fixture("missing_dependency"));
  unsetenv("LD_LIBRARY_PATH");
  EXPECT_TRUE(file.ok()) << file.reason();
}

TEST(InspectPlugin, RefusesAnotherArchitectureAndNamesBoth) {
  if (!std::filesystem::exists(fixture("other_architecture"))) GTEST_SKIP() << "no compiler for another architecture";
  EXPECT_EQ(inspect(fixture("other_architecture")).reason(), "is built for aarch64, this host is x86_64");
}

TEST(InspectPlugin, RefusesAProgram) {
  EXPECT_EQ(inspect(BUSBAR_TRIAL_PROGRAM).reason(), "is a program (position-independent), not a shared library");
}

// T2
TEST(InspectPlugin, RefusesOtherSanitizersThanTheHosts) {
  const std::uint32_t others = BUSBAR_BUILD_FLAGS == BUSBAR_BUILD_TSAN ? BUSBAR_BUILD_ASAN : BUSBAR_BUILD_TSAN;
  EXPECT_THAT(inspect(fixture("good"), {others}).reason(), HasSubstr("both must be built alike"));
}

// U1
TEST(InspectPlugin, WarnsOfUniqueSymbolsThatForbidUnloading) {
  const PluginFile file = inspect(fixture("unique_symbols"));
  EXPECT_TRUE(file.ok()) << file.reason();
#if !defined(__clang__)  // which makes none
  EXPECT_FALSE(file.unloadable);
  EXPECT_THAT(file.warnings, Contains(HasSubstr("Counter::value()::counter")));
#endif
}

TEST(InspectPlugin, WarnsOfNoDelete) {
  const PluginFile file = inspect(fixture("no_delete"));
  EXPECT_TRUE(file.ok()) << file.reason();
  EXPECT_FALSE(file.unloadable);
  EXPECT_THAT(file.warnings, ElementsAre(HasSubstr("-z nodelete")));
}

TEST(InspectPlugin, WarnsOfALibraryThatIsMappedFromAnotherFile) {
  EXPECT_THAT(inspect(fixture("helped_2")).warnings, IsEmpty());
  void* other = dlopen(fixture("helped_1").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(other, nullptr) << dlerror();
  EXPECT_THAT(inspect(fixture("helped_1")).warnings, IsEmpty());
  EXPECT_THAT(inspect(fixture("helped_2")).warnings,
              ElementsAre(::testing::AllOf(HasSubstr("libbusbar_tests_helper.so"), HasSubstr("is not used"))));
  dlclose(other);
}

// A4
TEST(InspectPlugin, WarnsOfSymbolsBesideTheEntry) {
  EXPECT_THAT(inspect(fixture("unique_symbols")).warnings, Contains(HasSubstr("exports more than its entry")));
}

// L8
TEST(InspectPlugin, WarnsOfStaticThreadLocalStorage) {
  const PluginFile file = inspect(fixture("static_tls"));
  EXPECT_TRUE(file.static_tls);
  EXPECT_THAT(file.warnings, Contains(HasSubstr("static thread-local storage")));
}

// U2
TEST(InspectPlugin, WarnsOfThreadLocalDestructors) {
  EXPECT_THAT(inspect(fixture("thread_local_destructor")).warnings, Contains(HasSubstr("thread_local")));
}

TEST(InspectPlugin, WarnsOfAnExecutableStack) {
  EXPECT_THAT(inspect(fixture("executable_stack")).warnings, ElementsAre("asks for an executable stack"));
}

}  // namespace
}  // namespace busbar::host
