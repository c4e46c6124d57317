#include "cli/check.hpp"

#include <fstream>

#include "cli/doctor.hpp"
#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

namespace fs = std::filesystem;

void make_program(const fs::path& path, bool executable = true) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "#!/bin/sh\n";
  fs::permissions(path, executable ? fs::perms::owner_all : fs::perms::owner_read);
}

TEST(FindBusbard, TakesTheOneBesideBeforeThoseInThePath) {
  const TemporaryDirectory root;
  make_program(root.path() / "b/busbard");
  EXPECT_EQ(find_busbard(root.path() / "a", "/nowhere::" + (root.path() / "b").string()), root.path() / "b/busbard");
  make_program(root.path() / "a/busbard");
  EXPECT_EQ(find_busbard(root.path() / "a", (root.path() / "b").string()), root.path() / "a/busbard");
}

TEST(FindBusbard, PassesOverWhatCannotBeRun) {
  const TemporaryDirectory root;
  fs::create_directories(root.path() / "a/busbard");
  EXPECT_EQ(find_busbard(root.path() / "a", ""), std::nullopt);
  EXPECT_EQ(find_busbard({}, (root.path() / "a").string()), std::nullopt);
}

TEST(CheckArguments, PassTheFilesOnAndNoneOfThemAsAnOption) {
  Command command;
  command.files = {"a.so", "-b.so"};
  EXPECT_EQ(check_arguments("/x/busbard", command),
            (std::vector<std::string>{"/x/busbard", "--check-files", "a.so", "./-b.so"}));
  command.json = true;
  EXPECT_EQ(check_arguments("/x/busbard", command),
            (std::vector<std::string>{"/x/busbard", "--json", "--check-files", "a.so", "./-b.so"}));
}

TEST(CheckArguments, OfAConfigurationNameTheFileElseTheUsualOneWhereThereIsOne) {
  const TemporaryDirectory root;
  Command command;
  const fs::path usual = root.path() / "busbar.toml";
  using Arguments = std::vector<std::string>;
  EXPECT_EQ(config_check_arguments("/x/busbard", command, usual), (Arguments{"/x/busbard", "--check-config"}));
  std::ofstream(usual) << "";
  const std::string given = "--config=" + usual.string();
  EXPECT_EQ(config_check_arguments("/x/busbard", command, usual), (Arguments{"/x/busbard", "--check-config", given}));
  EXPECT_EQ(doctor_arguments("/x/busbard", command, usual), (Arguments{"/x/busbard", "--doctor", given}));
  command.config = "-my.toml";
  command.json = command.is_run_dir_given = true;
  command.run_dir = "/r";
  EXPECT_EQ(config_check_arguments("/x/busbard", command, usual),
            (Arguments{"/x/busbard", "--check-config", "--json", "--config=-my.toml"}));
  EXPECT_EQ(doctor_arguments("/x/busbard", command, usual),
            (Arguments{"/x/busbard", "--doctor", "--json", "--config=-my.toml", "--run-dir=/r"}));
}

}  // namespace
}  // namespace busbar::cli
