#include "cli/rescan.hpp"

#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

Json serving(const char* file, const char* name, const char* version, int generation) {
  return {{"file", file}, {"name", name}, {"version", version}, {"generation", generation}, {"state", "serving"}};
}
Json with(Json row, const char* member, const Json& value) {
  row[member] = value;
  return row;
}
Json document(const std::vector<Json>& rows) { return {{"plugins", rows}}; }

std::string text(const std::vector<Json>& before, const std::vector<Json>& after) {
  return rescan_text(document(before), document(after), Palette(false));
}

const Json kGreeter = serving("g.so", "greeter", "1.0.0", 1);
const Json kNewer = serving("g.so", "greeter", "1.1.0", 2);
const Json kBroken = {
    {"file", "x.so"}, {"name", ""}, {"generation", 0}, {"state", "failed"}, {"reason", "is no ELF file"}};

TEST(RescanText, NamesWhatWasLoadedReplacedAndUnloaded) {
  EXPECT_EQ(text({}, {kGreeter}), "loaded    greeter 1.0.0\n");
  EXPECT_EQ(text({kGreeter}, {kNewer}), "replaced  greeter 1.0.0 by greeter 1.1.0\n");
  EXPECT_EQ(text({kGreeter}, {}), "unloaded  greeter 1.0.0\n");
  EXPECT_EQ(text({kGreeter}, {kGreeter}), "nothing has changed\n");
}

TEST(RescanText, LeavesOutGenerationsThatOnlyEnd) {
  EXPECT_EQ(text({kGreeter}, {kNewer, with(kGreeter, "state", "draining")}),
            "replaced  greeter 1.0.0 by greeter 1.1.0\n");
  EXPECT_EQ(text({kGreeter}, {with(kGreeter, "state", "retired")}), "unloaded  greeter 1.0.0\n");
}

TEST(RescanText, NamesFilesThatAreRefusedAndPluginsThatAreKeptInstead) {
  EXPECT_EQ(text({}, {kBroken}), "refused   x.so\n");
  EXPECT_EQ(text({kBroken}, {}), "nothing has changed\n");
  EXPECT_EQ(text({with(kBroken, "file", "g.so")}, {kGreeter}), "loaded    greeter 1.0.0\n");
  EXPECT_EQ(text({kGreeter}, {with(kGreeter, "reason", "its newer file could not be taken: is no ELF file")}),
            "kept      greeter 1.0.0, its newer file is refused\n");
  const Json sick = with(with(kGreeter, "reason", "not healthy: no disk"), "healthy", false);
  EXPECT_EQ(text({kGreeter}, {sick}), "nothing has changed\n");
}

TEST(RescanText, HasALineForEachFile) {
  EXPECT_EQ(text({kGreeter}, {kNewer, kBroken, serving("a.so", "accounts", "2.0.0", 3)}),
            "loaded    accounts 2.0.0\nreplaced  greeter 1.0.0 by greeter 1.1.0\nrefused   x.so\n");
}

TEST(RescanText, SaysNothingOfDocumentsOfAnotherKind) {
  EXPECT_EQ(rescan_text(Json(), Json{{"plugins", {7, nullptr}}}, Palette(false)), "nothing has changed\n");
}

}  // namespace
}  // namespace busbar::cli
