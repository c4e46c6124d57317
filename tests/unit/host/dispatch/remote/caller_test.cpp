// Who a call verifiably comes from, and how many of its calls there may be.
#include "remote.hpp"
#include "support/raw_requester.hpp"

namespace busbar::testing {
namespace {

/// A requester whose connection has proved a key.
class Proven final : public host::Requester {
 public:
  Proven(std::shared_ptr<RawRequester> raw, keys::Identity owner) : raw_(std::move(raw)), owner_(std::move(owner)) {}
  host::Sent answer(std::span<const std::uint8_t> envelope, bool more) noexcept override {
    return raw_->answer(envelope, more);
  }
  bool gone() const noexcept override { return raw_->gone(); }
  wire::Role role() const noexcept override { return raw_->role(); }
  const std::string& name() const noexcept override { return raw_->name(); }
  std::uint64_t incarnation() const noexcept override { return raw_->incarnation(); }
  const keys::Identity* owner() const noexcept override { return &owner_; }

 private:
  const std::shared_ptr<RawRequester> raw_;
  const keys::Identity owner_;
};

std::string in_words(const Message& message) {
  constexpr const char* kKinds[] = {"unknown", "local", "node", "client", "deployer"};
  return std::string(kKinds[static_cast<int>(message.caller())]) + ":" + std::string(message.caller_name());
}

/// Answers with who calls, as `authorize` and the handler have it.
Script tells_caller(std::string& authorized) {
  return Script()
      .on("who", [](Message& message, Context&) { return Response::ok(in_words(message)); })
      .authorize_with([&authorized](const Message& message) {
        authorized = in_words(message);
        return busbar::authorized();
      });
}

class Callers : public ::testing::Test {
 protected:
  Callers() { net.add("a", tells_caller(authorized)); }
  std::string asked_by(wire::Role role, const std::optional<keys::Identity>& owner) {
    auto raw = std::make_shared<RawRequester>(role, "claimed");
    std::shared_ptr<host::Requester> from = raw;
    if (owner) from = std::make_shared<Proven>(raw, *owner);
    Message message("who");
    message.with_caller(CallerKind::local, "root");  // which is not believed
    const auto bytes = encode(request_for(message, 1, 600'000'000));
    wire::Bytes rest = bytes;
    net["a"].dispatcher().on_request(from, wire::read_envelope(rest));
    const auto back = raw->wait_for(1).response.value_as<std::string>();
    EXPECT_EQ(back, authorized);
    return back;
  }
  std::string authorized;
  LinkedHubs net{{"a", "b"}};
};

TEST_F(Callers, C_R8_AreWhomTheirKeySays) {
  EXPECT_EQ(asked_by(wire::Role::node, keys::Identity{"n", keys::Role::node}), "node:n");
  EXPECT_EQ(asked_by(wire::Role::client, keys::Identity{"ada", keys::Role::client}), "client:ada");
  EXPECT_EQ(asked_by(wire::Role::client, keys::Identity{"dora", keys::Role::deployer}), "deployer:dora");
  EXPECT_EQ(asked_by(wire::Role::client, std::nullopt), "unknown:");
  EXPECT_EQ(asked_by(wire::Role::node, std::nullopt), "unknown:");
}

TEST_F(Callers, C_R8_FromThisProcessAreLocal) {
  Message message("who");
  message.with_caller(CallerKind::deployer, "root");
  net["a"].dispatcher().dispatch(message);
  EXPECT_EQ(message.response().value_as<std::string>(), "local:");
  EXPECT_EQ(authorized, "local:");
}

// What a plugin dispatches itself is this host's, whoever has asked the plugin.
TEST_F(Callers, C_R8_OfNestedCallsAreLocal) {
  net.add("a",
          Script().on("asks",
                      [](Message& message, Context& context) {
                        return context.dispatch(Message::caused_by(message, "who")).response();
                      }),
          "q");
  const auto raw = std::make_shared<RawRequester>(wire::Role::client, "claimed");
  const auto from = std::make_shared<Proven>(raw, keys::Identity{"ada", keys::Role::client});
  const auto bytes = encode(request_for(Message("asks"), 1, 600'000'000));
  wire::Bytes rest = bytes;
  net["a"].dispatcher().on_request(from, wire::read_envelope(rest));
  EXPECT_EQ(raw->wait_for(1).response.value_as<std::string>(), "local:");
}

class PeerCalls : public ::testing::TestWithParam<wire::Role> {
 protected:
  PeerCalls() {
    net["a"].dispatcher().limit_peer_calls(2);
    net.add("a", Script().defer("later", [this](Message&, Context& context) {
      const std::lock_guard lock(mutex);
      handles.push_back(context.reply_handle());
    }));
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex);
    return handles.size();
  }
  bool held(std::size_t count) {
    return eventually([&] { return waiting() == count; });
  }
  void answer_one() {
    const std::lock_guard lock(mutex);
    handles.back().reply(Response::ok());
    handles.pop_back();
  }
  std::mutex mutex;
  std::vector<ReplyHandle> handles;
  LinkedHubs net{{"a", "b"}};
};

TEST_P(PeerCalls, OneMoreThanMayBeIsRefusedUnstartedAndTheNextIsTaken) {
  const auto one = std::make_shared<RawRequester>(GetParam(), "z");
  const auto other = std::make_shared<RawRequester>(GetParam(), "y");
  for (std::uint64_t attempt = 1; attempt <= 3; ++attempt) {
    ask(net["a"], one, request_for(Message("later"), attempt, 600'000'000));
  }
  const auto refused = one->wait_for(3);
  EXPECT_TRUE(refused.response.is_error(code::kOverloaded)) << shown(refused.response);
  EXPECT_TRUE(refused.unstarted);
  EXPECT_THAT(std::string(refused.response.text()), ::testing::HasSubstr("limits.peer_calls"));
  ask(net["a"], other, request_for(Message("later"), 1, 600'000'000));
  ASSERT_TRUE(held(3)) << "another one has calls of its own";
  while (one->answers(1) + one->answers(2) == 0) answer_one();
  // The place of one that has been answered is free, in a moment.
  const std::size_t before = waiting();
  std::uint64_t attempt = 10;
  EXPECT_TRUE(eventually([&] {
    ask(net["a"], one, request_for(Message("later"), ++attempt, 600'000'000));
    return eventually([&] { return one->answers(attempt) == 1 || waiting() > before; }) && waiting() > before;
  }));
  while (waiting() != 0) answer_one();
}

// It was never under way, so that nobody waits for its end either.
TEST_P(PeerCalls, OneThatIsMalformedDoesNotCount) {
  net.add("a", answering("s", "a"), "q");
  const auto one = std::make_shared<RawRequester>(GetParam(), "z");
  const std::array<std::uint8_t, 1> no_array{0x05};
  for (std::uint64_t attempt = 1; attempt <= 3; ++attempt) {
    const Message message("s");
    wire::Envelope request = request_for(message, attempt, 600'000'000);
    request.events = no_array;
    ask(net["a"], one, request);
    EXPECT_TRUE(one->wait_for(attempt).response.is_error(code::kMalformed));
  }
  ask(net["a"], one, request_for(Message("s"), 1, 600'000'000));
  EXPECT_TRUE(eventually([&] { return one->answers(1) == 2; }));
  EXPECT_TRUE(one->received().back().response.succeeded()) << shown(one->received().back().response);
  EXPECT_TRUE(net["a"].dispatcher().wait_for_requests(host::now_ns() + 5 * host::kSecond));
}

INSTANTIATE_TEST_SUITE_P(Both, PeerCalls, ::testing::Values(wire::Role::node, wire::Role::client),
                         [](const auto& test) { return test.param == wire::Role::node ? "Node" : "Client"; });

}  // namespace
}  // namespace busbar::testing
