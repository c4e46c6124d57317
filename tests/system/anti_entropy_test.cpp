// A lost announcement heals by itself (C-G3): who is behind asks, and who is asked tells again.
#include "system/support/patient.hpp"
#include "system/support/raw_member.hpp"
#include "system/support/test_cluster.hpp"

namespace busbar::system_tests {
namespace {

namespace wire = registry::wire;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> names_of(const registry::NodeRecord& record) {
  std::vector<std::string> names;
  for (const auto& service : record.services) names.push_back(service.name);
  return names;
}

class AntiEntropy : public ClusterTest {
 protected:
  TestHost& start_one(const std::string& plugin) {
    TestHost& a = cluster.make("a");
    a.configure(kPatient);
    a.add(plugin);
    cluster.start("a");
    return a;
  }
};

TEST_F(AntiEntropy, C_G3_OneThatHasMissedAnAnnouncementAsksForItAfterTheNextHeartbeat) {
  const TestHost& a = start_one("echo");
  RawMember raw("raw", cluster.seed());
  raw.hello({"told_at_first"});
  ASSERT_TRUE(eventually([&] { return discovered(a, "told_at_first") == std::vector<std::string>{"raw"}; }));
  const std::uint64_t version = raw.record().version;
  EXPECT_FALSE(raw.heartbeat(version).want_record) << "it has that one";

  EXPECT_TRUE(raw.heartbeat(version + 1).want_record) << "the announcement of this one was lost";
  raw.announce({"told_again"});
  EXPECT_TRUE(eventually([&] { return discovered(a, "told_again") == std::vector<std::string>{"raw"}; }));
  EXPECT_THAT(discovered(a, "told_at_first"), IsEmpty()) << "the record is replaced whole (C-G2)";
  EXPECT_FALSE(raw.heartbeat(version + 1).want_record);
}

TEST_F(AntiEntropy, C_G3_OneThatIsAskedForWhatWasMissedAnnouncesItAgain) {
  TestHost& a = start_one("echo");
  RawMember raw("raw", cluster.seed());
  raw.hello();
  const auto hello = raw.heard<wire::Hello>();
  EXPECT_THAT(names_of(hello.record), ElementsAre("echo"));
  raw.answer(wire::Welcome{.record = raw.record(), .peers = {}});
  EXPECT_EQ(raw.heard<wire::Heartbeat>().version, hello.record.version);

  a.add("greeter");
  EXPECT_EQ(a.ask({"rescan"}).status, 0);
  const auto lost = raw.heard<wire::Announce>();  // or so the raw member says
  EXPECT_GT(lost.record.version, hello.record.version);
  const auto heartbeat = raw.heard<wire::Heartbeat>();
  EXPECT_EQ(heartbeat.version, lost.record.version) << "so that it is seen to be missed";
  raw.answer(wire::HeartbeatAck{heartbeat.sent_us, true});
  const auto again = raw.heard<wire::Announce>();
  EXPECT_EQ(again.record, lost.record);
  EXPECT_THAT(names_of(again.record), ElementsAre("echo", "greet"));
}

}  // namespace
}  // namespace busbar::system_tests
