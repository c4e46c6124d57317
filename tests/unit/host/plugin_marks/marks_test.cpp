// What is decided about files of plugins, and outlives the host.
#include "plugins/marks/marks.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"

namespace busbar::host {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class MarksTest : public ::testing::Test {
 protected:
  Marks open() const { return {folder_.path(), Logger()}; }
  std::string content(const fs::path& file) const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  testing::TemporaryFolder folder_;
};

TEST_F(MarksTest, AreThereForWhoComesAfterwards) {
  open().put("a.so", {Mark::Kind::unloaded, "d1", "a", "by hand"});
  open().put("b\xff.so", {Mark::Kind::rolled_back, "d2", "b", "it fails"});
  Marks marks = open();
  ASSERT_NE(marks.find("a.so"), nullptr);
  EXPECT_EQ(marks.find("a.so")->kind, Mark::Kind::unloaded);
  EXPECT_EQ(marks.find("a.so")->digest, "d1");
  ASSERT_NE(marks.find("b\xff.so"), nullptr) << "a file's name need not be UTF-8";
  EXPECT_EQ(marks.find("b\xff.so")->reason, "it fails");
  EXPECT_EQ(marks.find("c.so"), nullptr);
  marks.remove("a.so");
  EXPECT_EQ(open().find("a.so"), nullptr);
}

TEST_F(MarksTest, ThatCannotBeWrittenDoNotHold) {
  Marks marks = open();
  marks.put("a.so", {Mark::Kind::unloaded, "d1", "a", ""});
  fs::create_directory(folder_ / "plugins.json.new");
  EXPECT_THROW(marks.put("b.so", {Mark::Kind::unloaded, "d2", "b", ""}), std::system_error);
  EXPECT_EQ(marks.find("b.so"), nullptr);
  EXPECT_THROW(marks.remove("a.so"), std::system_error);
  EXPECT_NE(marks.find("a.so"), nullptr);
}

TEST_F(MarksTest, CountCrashesOfOneFileInATime) {
  EXPECT_EQ(open().note({1000, "a.so", "d1", "a", "SIGSEGV"}, 10min), 1U);
  EXPECT_EQ(open().note({1100, "a.so", "d1", "a", "SIGSEGV"}, 10min), 2U);
  EXPECT_EQ(open().note({1100, "b.so", "d1", "b", "SIGSEGV"}, 10min), 1U) << "another file";
  EXPECT_EQ(open().note({1200, "a.so", "d2", "a", "SIGSEGV"}, 10min), 1U) << "another content";
  EXPECT_EQ(open().note({1601, "a.so", "d1", "a", "SIGSEGV"}, 10min), 2U) << "the first is too long ago";
  Marks marks = open();
  marks.forget_crashes("a.so");
  EXPECT_EQ(open().note({1602, "a.so", "d1", "a", "SIGSEGV"}, 10min), 1U);
}

TEST_F(MarksTest, ThatCannotBeReadArePutAside) {
  for (const char* text : {"", "{", "[]", R"({"version": 2, "marks": [], "crashes": []})",
                           R"({"version": 1, "marks": [{"file": 7}], "crashes": []})",
                           R"({"version": 1, "marks": [{"file": "a", "kind": "odd", "digest": "", "plugin": "",
                               "reason": ""}], "crashes": []})"}) {
    write("plugins.json", text);
    EXPECT_EQ(open().find("a"), nullptr) << text;
    EXPECT_FALSE(fs::exists(folder_ / "plugins.json")) << text;
    EXPECT_EQ(content(folder_ / "plugins.json.bad"), text);
  }
}

TEST_F(MarksTest, KeepTheVersionBeforeThoughItsCopyGoes) {
  write("copy", "first");
  Marks marks = open();
  EXPECT_TRUE(marks.keep_previous("a.so", folder_ / "copy"));
  fs::remove(folder_ / "copy");
  EXPECT_EQ(content(marks.previous_of("a.so")), "first");
  write("copy", "second");
  EXPECT_TRUE(marks.keep_previous("a.so", folder_ / "copy"));
  EXPECT_EQ(content(marks.previous_of("a.so")), "second");
  EXPECT_FALSE(marks.keep_previous("a.so", folder_ / "nothing"));
  EXPECT_FALSE(fs::exists(marks.previous_of("a.so"))) << "not one that is older than the one before";
  marks.forget_previous("a.so");
}

}  // namespace
}  // namespace busbar::host
