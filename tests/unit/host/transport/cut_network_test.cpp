// A cable that is cut under a connection of the call plane: nobody is told, and the kernel's keepalives find out
// (decision 0013).
#include "support/cut_network.hpp"

#include <gmock/gmock.h>

#include "link_testing.hpp"

namespace busbar::host {
namespace {

using testing::CutNetwork;
using testing::eventually;
using ::testing::HasSubstr;

CallPlaneOptions impatient() {
  CallPlaneOptions options;
  options.heartbeat = std::chrono::milliseconds(100);
  options.lost_after = std::chrono::seconds(3);  // the kernel by itself would take ten times as long
  return options;
}

class CutConnection : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!network_.problem().empty()) GTEST_SKIP() << network_.problem();
    network_.far.run([&] {
      other_ = std::make_unique<ScriptedNode>(CutNetwork::kFarAddress, [](const wire::Envelope& envelope) {
        const bool answers = text_of(envelope.request) != "no answer";
        return answers ? ScriptedNode::as_usual(envelope) : std::vector<ScriptedNode::Frame>();
      });
    });
    network_.near.run([&] {
      here_ = std::make_unique<ThisNode>(impatient());
      here_->start();
      peer_ = here_->add_and_wait(other_->address());
    });
  }
  /// Why it has ended, which may take as long as the failure detector has (C-D9).
  std::string ends() {
    EXPECT_TRUE(eventually([&] { return call_.waiter.done(); }));
    return call_.down;
  }

  CutNetwork network_;
  std::unique_ptr<ScriptedNode> other_;
  TestCall call_;
  std::unique_ptr<ThisNode> here_;
  std::shared_ptr<Peer> peer_;
};

TEST_F(CutConnection, C_D9_EndsTheCallsThatHadArrived) {
  ASSERT_EQ(here_->post(*peer_, call_, "no answer"), Sent::kYes);
  ASSERT_TRUE(here_->call(*peer_, "x")) << "what comes back acknowledges the one before, too";
  ASSERT_TRUE(network_.cut());
  EXPECT_THAT(ends(), HasSubstr("nothing came over the connection"));
  peer_->ended();
}

TEST_F(CutConnection, C_D9_EndsTheCallsThatAreSentIntoIt) {
  ASSERT_TRUE(network_.cut());
  ASSERT_EQ(here_->post(*peer_, call_, "x"), Sent::kYes);
  EXPECT_THAT(ends(), HasSubstr("nothing came over the connection"));
  peer_->ended();
}

}  // namespace
}  // namespace busbar::host
