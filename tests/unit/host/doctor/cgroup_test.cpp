#include "doctor/cgroup.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"

namespace busbar::host::doctor {
namespace {

/// A tree such as /sys/fs/cgroup.
class Cgroup : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text << "\n";
  }
  CgroupLimits limits() const { return limits_of_group(root_.path(), "/system.slice/busbard.service"); }

  busbar::testing::TemporaryFolder root_;
};

TEST_F(Cgroup, LimitsNothingWhereItSaysNothing) {
  EXPECT_EQ(limits().cpus, std::nullopt);
  EXPECT_EQ(limits().pids, std::nullopt);
  write("system.slice/busbard.service/cpu.max", "max 100000");
  write("system.slice/busbard.service/pids.max", "max");
  EXPECT_EQ(limits().cpus, std::nullopt);
  EXPECT_EQ(limits().pids, std::nullopt);
}

TEST_F(Cgroup, TheLeastOfAllItIsInHolds) {
  write("system.slice/cpu.max", "150000 100000");
  write("system.slice/busbard.service/cpu.max", "400000 100000");
  write("system.slice/pids.max", "900");
  write("system.slice/busbard.service/pids.max", "80");
  write("other.slice/pids.max", "5");
  EXPECT_EQ(limits().cpus, 1.5);
  EXPECT_EQ(limits().pids, 80U);
}

}  // namespace
}  // namespace busbar::host::doctor
