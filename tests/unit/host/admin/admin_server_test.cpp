// The socket, and clients that do not behave.
#include <fstream>

#include "support/other_user.hpp"
#include "unit/host/admin/admin_testing.hpp"

namespace busbar::host {
namespace {

using ::testing::HasSubstr;
namespace verb = wire::admin_verb;

// ---------------------------------------------------------------------------------------------------- the socket

TEST_F(AdminServerTest, TheSocketIsForItsUserAlone) {
  const mode_t before = ::umask(0);
  serve();
  ::umask(before);
  struct stat found {};
  ASSERT_EQ(::stat(socket_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600u);
}

TEST_F(AdminServerTest, TakesThePlaceOfASocketThatAKilledHostLeft) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, socket_.c_str());
  const int left_behind = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(left_behind, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(left_behind);
  serve();
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
}

TEST_F(AdminServerTest, DoesNotDeleteAFileInTheSocketsPlace) {
  std::ofstream(socket_) << "precious";
  EXPECT_THROW(serve(), AdminError);
  EXPECT_TRUE(std::filesystem::is_regular_file(socket_));
}

TEST_F(AdminServerTest, APathBeyondWhatASocketCanHaveIsRefusedInWords) {
  const auto path = directory_.path() / std::string(200, 'x');
  try {
    AdminServer server(path, host_.dispatcher(), hooks(), Logger());
    FAIL() << "it was taken";
  } catch (const AdminError& error) {
    EXPECT_THAT(error.what(), HasSubstr("file name too long"));
  }
}

// --------------------------------------------------------------------------------------------- several at a time

TEST_F(AdminServerTest, AnswersPipelinedRequestsAsTheyGetReady) {
  serve();
  TestClient client = connect();
  auto frames = wire::frame_of(call_of("hold", {}, 1));
  const auto second = wire::frame_of(call_of("echo", "quick", 2));
  frames.insert(frames.end(), second.begin(), second.end());
  client.send_bytes(frames);
  EXPECT_EQ(client.receive()->seq, 2u);
  ASSERT_TRUE(eventually([] { return HeldCalls::instance().count() == 1; }));
  HeldCalls::instance().answer(0, Response::ok());
  EXPECT_EQ(client.receive()->seq, 1u);
}

TEST_F(AdminServerTest, RefusesMoreRequestsOfOneConnectionThanAreAllowed) {
  AdminOptions options;
  options.max_requests = 2;
  serve(options);
  TestClient client = connect();
  for (std::uint64_t seq = 1; seq <= 3; ++seq) client.send(call_of("hold", {}, seq));
  const auto refused = client.receive();
  ASSERT_TRUE(refused && refused->error);
  EXPECT_EQ(refused->seq, 3u);
  EXPECT_EQ(refused->error->code, "overloaded");
}

TEST_F(AdminServerTest, AnotherUserIsRefusedAlsoWhereTheModeHasBeenOpenedToAll) {
  if (!busbar::testing::AsUser::is_possible()) GTEST_SKIP() << "only root can become another user";
  serve();
  ASSERT_EQ(::chmod(socket_.c_str(), 0666), 0);
  ASSERT_EQ(::chmod(socket_.parent_path().c_str(), 0755), 0);
  std::optional<TestClient> stranger;
  {
    const busbar::testing::AsUser other(busbar::testing::kNobody);
    stranger.emplace(connect());
  }
  const auto refused = stranger->receive();
  ASSERT_TRUE(refused && refused->error);
  EXPECT_EQ(refused->error->code, "forbidden");
  EXPECT_EQ(refused->error->text, "only user 0, who runs this host, and root may use its admin socket");
  EXPECT_FALSE(stranger->receive()) << "and that is the end of it";
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
}

TEST_F(AdminServerTest, ClientsThatSendHalfAFrameDoNotHoldUpOthers) {
  serve();
  std::vector<TestClient> idlers;
  for (int i = 0; i < 20; ++i) {
    idlers.push_back(connect());
    idlers.back().send_bytes({100, 0, 0, 0, 0xA1});
  }
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
}

TEST_F(AdminServerTest, AClientThatReadsNoAnswersIsNotReadFromForEver) {
  AdminOptions options;
  options.max_requests = 1000;
  serve(options);
  std::vector<std::uint8_t> requests;
  for (std::uint64_t seq = 1; seq <= 100; ++seq) {
    const auto frame = wire::frame_of(call_of("echo", std::string(300'000, 'x'), seq));
    requests.insert(requests.end(), frame.begin(), frame.end());
  }
  TestClient client = connect();
  std::size_t sent = client.send_while_taken(requests);
  EXPECT_LT(sent, requests.size() / 2);
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
  std::jthread rest([&] { client.send_bytes({requests.begin() + static_cast<std::ptrdiff_t>(sent), requests.end()}); });
  for (int i = 0; i < 100; ++i) {  // it goes on where it stopped
    const auto answer = client.receive();
    EXPECT_TRUE(answer && answer->reply);
  }
  rest.join();
}

TEST_F(AdminServerTest, CarriesALargeMessageBothWays) {
  serve();
  const std::string large(20'000'000, 'x');
  EXPECT_EQ(json_of(connect().ask(call_of("echo", large)).reply->response.value), large);
}

TEST_F(AdminServerTest, ALongerFrameThanAllowedIsRefusedBeforeItHasCome) {
  AdminOptions options;
  options.max_message = 1000;
  serve(options);
  TestClient client = connect();
  client.send_bytes({0xFF, 0xFF, 0xFF, 0xFF, 0xA0});
  const auto refused = client.receive();
  ASSERT_TRUE(refused && refused->error);
  EXPECT_EQ(refused->error->code, "malformed");
  EXPECT_THAT(refused->error->text, HasSubstr("4294967295"));
  EXPECT_FALSE(client.receive());
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
}

TEST_F(AdminServerTest, AMessageOfTheLargestSizeIsTaken) {
  AdminOptions options;
  options.max_message = 1000;
  serve(options);
  const std::string largest(1000 - 3, 'x');  // a text's head has three bytes
  EXPECT_TRUE(connect().ask(call_of("echo", largest)).reply);
}

TEST_F(AdminServerTest, OneClientTooManyIsToldSo) {
  AdminOptions options;
  options.max_connections = 2;
  serve(options);
  TestClient first = connect(), second = connect();
  first.ask(request_of(verb::kStatus));
  second.ask(request_of(verb::kStatus));
  TestClient third = connect();
  const auto refused = third.receive();
  ASSERT_TRUE(refused && refused->error);
  EXPECT_EQ(refused->error->code, "overloaded");
  EXPECT_FALSE(third.receive());
  first.close();
  EXPECT_TRUE(eventually([&] {
    TestClient next = connect();
    next.send(request_of(verb::kStatus));
    const auto answer = next.receive();
    return answer && answer->document;
  }));
}

TEST_F(AdminServerTest, AtTheMaximumASilentClientGivesUpItsPlaceAndABusyOneDoesNot) {
  AdminOptions options;
  options.max_connections = 2;
  options.idle_grace = 0ms;
  serve(options);
  TestClient busy = connect();
  busy.send(call_of("hold"));
  ASSERT_TRUE(eventually([] { return HeldCalls::instance().count() == 1; }));
  TestClient silent = connect();
  silent.ask(request_of(verb::kStatus));
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
  EXPECT_FALSE(silent.receive());
  HeldCalls::instance().answer(0, Response::ok());
  EXPECT_TRUE(busy.receive()->reply);
}

// --------------------------------------------------------------------------------------- clients that are gone

// C-D8
TEST_F(AdminServerTest, ACallIsCancelledWhenItsClientGoes) {
  serve();
  TestClient client = connect();
  client.send(call_of("hold"));
  ASSERT_TRUE(eventually([] { return HeldCalls::instance().count() == 1; }));
  EXPECT_FALSE(HeldCalls::instance().caller_gone(0));
  client.close();
  EXPECT_TRUE(eventually([] { return HeldCalls::instance().caller_gone(0); }));
  HeldCalls::instance().answer(0, Response::ok());  // too late: discarded
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
}

TEST_F(AdminServerTest, AScanThatEndsAfterItsClientHasGoneHarmsNobody) {
  serve();
  {
    TestClient client = connect();
    client.send(request_of(verb::kRescan));
  }
  ASSERT_TRUE(end_scan({{"plugins", {}}}));
  EXPECT_TRUE(connect().ask(request_of(verb::kStatus)).document);
}

// ----------------------------------------------------------------------------------------------- the first scan

TEST_F(AdminServerTest, EveryVerbButStatusWaitsForTheFirstScan) {
  ready = false;
  serve();
  TestClient client = connect();
  client.send(call_of("echo", 1, 1));
  client.send(request_of(verb::kServices, 2));
  EXPECT_EQ(client.ask(request_of(verb::kStatus, 3)).seq, 3u);
  EXPECT_FALSE(client.readable(0ms));
  tell_();
  std::vector<std::uint64_t> answered = {client.receive()->seq, client.receive()->seq};
  EXPECT_THAT(answered, ::testing::UnorderedElementsAre(1u, 2u));
  EXPECT_TRUE(client.ask(request_of(verb::kPlugins)).document);
}

TEST_F(AdminServerTest, AClientThatDoesNotWaitForTheFirstScanIsNotServedAfterIt) {
  ready = false;
  serve();
  TestClient client = connect();
  client.send(call_of("hold"));
  client.ask(request_of(verb::kStatus, 2));
  client.close();
  AdminServerTest::connect().ask(request_of(verb::kStatus));
  TestClient other = connect();
  other.send(call_of("echo"));
  other.ask(request_of(verb::kStatus));
  tell_();
  EXPECT_TRUE(other.receive()->reply);
  EXPECT_EQ(HeldCalls::instance().count(), 0u);
}

}  // namespace
}  // namespace busbar::host
