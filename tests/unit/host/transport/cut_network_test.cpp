// A cable that is cut under a connection of the call plane: nobody is told, and the kernel finds out (decision 0013).
#include "support/cut_network.hpp"

#include <gtest/gtest.h>

#include "link_testing.hpp"

namespace busbar::host {
namespace {

using testing::CutNetwork;
using testing::eventually;

CallPlaneOptions impatient() {
  CallPlaneOptions options;
  options.heartbeat = std::chrono::milliseconds(100);
  options.lost_after = std::chrono::milliseconds(200);  // the kernel has ten times as long
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
  bool ends() {
    return eventually([&] { return call_.waiter.done(); }) && !call_.down.empty();
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
  EXPECT_TRUE(ends()) << "only keepalives can tell";
  peer_->ended();
}

TEST_F(CutConnection, C_D9_EndsTheCallsThatAreSentIntoIt) {
  ASSERT_TRUE(network_.cut());
  ASSERT_EQ(here_->post(*peer_, call_, "x"), Sent::kYes);
  EXPECT_TRUE(ends()) << "the kernel would send it again for a quarter of an hour";
  peer_->ended();
}

}  // namespace
}  // namespace busbar::host
