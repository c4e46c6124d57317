// What a client is told before the host that it has connected to is ready.
#include <zmq.hpp>

#include <busbar/wire/admin.hpp>
#include <busbar/wire/envelope.hpp>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// A host with a plugin that hangs when it is tried, behind one that is good.
class BeforeReady : public testing::Test {
 protected:
  void start(const std::string& trial_timeout) {
    host.configure("[plugins]\ntrial_timeout = \"" + trial_timeout + "\"\n");
    host.add("behaviours");
    host.add("hangs_in_create", "zz_hangs.so");
    process.emplace(host.start_process());
    ASSERT_TRUE(eventually([&] {
      if (host.busbar({"status"}).status != 0) return false;
      status = host.ask({"status"}).json;
      return true;
    })) << process->err();
    ASSERT_EQ(status.value("ready", true), false) << "the host has been ready before the test could begin";
  }
  Process connect(std::vector<std::string> arguments) {
    const std::string address = status.at("cluster").at("address");
    arguments.insert(arguments.begin(), {tested::busbar(), "--connect", address, "--json"});
    Command command;
    command.arguments = std::move(arguments);
    command.scratch = host.root() / "said";
    return Process(command);
  }
  void TearDown() override {
    if (!process) return;
    process->signal(SIGTERM);
    const auto ended = process->wait();
    ASSERT_TRUE(ended) << process->err();
    EXPECT_EQ(ended->status, 0) << ended->err;
    EXPECT_THAT(ended->err, testing::Not(HasSubstr("ending without it"))) << "what is on trial is given up";
    expect_no_reports(ended->err);
  }

  TestHost host;
  std::optional<Process> process;
  Json status;
};

TEST_F(BeforeReady, TheVerbsForCallersWait) {
  start("4s");
  Process call = connect({"call", "shows_message", "--timeout", "60000"});
  Process services = connect({"services"});
  const auto called = call.wait();
  const auto told = services.wait();
  ASSERT_TRUE(called && told);
  EXPECT_EQ(called->status, 0) << called->out << called->err;
  EXPECT_EQ(told->status, 0) << told->out << told->err;
  EXPECT_THAT(told->out, HasSubstr("shows_message"));
  EXPECT_EQ(host.ask({"status"}).json["ready"], true);
  EXPECT_THAT(host.plugin("zz_hangs.so")["reason"].dump(), HasSubstr("did not finish")) << "it has hung";
}

TEST_F(BeforeReady, NoLongerThanTheyMay) {
  start("10m");
  Process services = connect({"services"});
  const auto called = connect({"call", "shows_message", "--timeout", "100"}).wait();
  ASSERT_TRUE(called);
  EXPECT_EQ(called->status, 4) << called->out << called->err;
  const auto told = services.wait();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->status, 1) << told->out << told->err;
  EXPECT_THAT(told->out, AllOf(HasSubstr("not_ready"), HasSubstr("has not become ready"), HasSubstr("plugins")));
  EXPECT_EQ(host.ask({"status"}).json["ready"], false);
}

// ---------------------------------------------------------------------------------------- a client that takes little

std::optional<wire::Envelope> receive(zmq::socket_t& dealer, zmq::message_t& frame) {
  if (!dealer.recv(frame)) return std::nullopt;
  wire::Bytes bytes(frame.data<std::uint8_t>(), frame.size());
  return wire::read_envelope(bytes);
}

void send(zmq::socket_t& dealer, const wire::Envelope& envelope) {
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  dealer.send(zmq::buffer(sink.bytes().data(), sink.bytes().size()));
}

using SmallClient = SystemTest;

TEST_F(SmallClient, IsToldThatTheAnswerIsMoreThanItTakes) {
  host.add("behaviours");
  host.start();
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.set(zmq::sockopt::rcvtimeo, static_cast<int>(std::chrono::milliseconds(kLimit).count()));
  dealer.connect(host.ask({"status"}).json["cluster"]["address"].get<std::string>());
  zmq::message_t frame;
  wire::Envelope envelope;
  envelope.type = wire::EnvelopeType::hello;
  envelope.major = wire::kCallProtocolMajor;
  envelope.cluster = "busbar";
  envelope.max_message = 1'024;
  send(dealer, envelope);
  ASSERT_EQ(receive(dealer, frame).value().type, wire::EnvelopeType::welcome);
  wire::AdminRequest question;
  question.seq = 5;
  question.verb = wire::admin_verb::kServices;
  const Payload body = Payload::of(question);
  envelope = {};
  envelope.type = wire::EnvelopeType::query;
  envelope.major = wire::kCallProtocolMajor;
  envelope.attempt = 1;
  envelope.body = body.bytes();
  send(dealer, envelope);
  const auto document = receive(dealer, frame);
  ASSERT_TRUE(document) << "nothing came";
  EXPECT_EQ(document->type, wire::EnvelopeType::document);
  EXPECT_LE(frame.size(), 1'024u);
  const auto answer = cbor::decode<wire::AdminAnswer>(document->body);
  EXPECT_EQ(answer.seq, 5u);
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, wire::admin_code::kTooLarge);
}

}  // namespace
}  // namespace busbar::system_tests
