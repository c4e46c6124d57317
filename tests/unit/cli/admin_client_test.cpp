// The client against hosts that answer, refuse, babble or die.
#include "cli/admin_client.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <thread>

#include "support/other_user.hpp"
#include "unit/cli/cli_testing.hpp"

namespace busbar::cli {
namespace {

using busbar::testing::AsUser;
using busbar::testing::kNobody;
using busbar::testing::kSomebody;
using ::testing::HasSubstr;

/// Accepts one client, and does with it what the test says.
class FakeHost {
 public:
  explicit FakeHost(std::function<void(int client)> behave) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (directory_.path() / "busbar.sock").c_str());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this, behave = std::move(behave)] {
      const int client = ::accept(listener_, nullptr, nullptr);
      behave(client);
      ::close(client);
    });
  }
  ~FakeHost() {
    thread_.join();
    ::close(listener_);
  }
  const std::filesystem::path& run_dir() const { return directory_.path(); }
  /// One more client, from within `behave`.
  int accept_another() const { return ::accept(listener_, nullptr, nullptr); }

 private:
  TemporaryDirectory directory_;
  int listener_ = -1;
  std::thread thread_;
};

void read_request(int client) {
  std::uint8_t head[wire::kFrameHead];
  ASSERT_EQ(::recv(client, head, sizeof head, MSG_WAITALL), static_cast<ssize_t>(sizeof head));
  std::vector<std::uint8_t> body(wire::announced_length(head));
  ASSERT_EQ(::recv(client, body.data(), body.size(), MSG_WAITALL), static_cast<ssize_t>(body.size()));
}

void write(int client, const std::vector<std::uint8_t>& bytes) {
  ASSERT_EQ(::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

wire::AdminRequest request_of(const char* verb) {
  wire::AdminRequest request;
  request.verb = verb;
  return request;
}

Failure failure_at(const FakeHost& host) {
  return failure_of([&] { AdminClient(host.run_dir()).ask(request_of("status")); });
}

// What somebody else has put there in place of a host is told nothing.
TEST(AdminClient, DoesNotSpeakToAnotherUsersHost) {
  if (!AsUser::is_possible()) GTEST_SKIP() << "only root can become another user";
  std::vector<std::uint8_t> heard(1);
  std::optional<FakeHost> host;
  {
    const AsUser other(kNobody);
    host.emplace([&](int client) { heard.resize(static_cast<std::size_t>(::recv(client, heard.data(), 1, 0))); });
    ASSERT_EQ(::chmod(host->run_dir().c_str(), 0755), 0);
    ASSERT_EQ(::chmod((host->run_dir() / "busbar.sock").c_str(), 0666), 0);
  }
  const Failure failure = [&] {
    const AsUser other(kSomebody);
    return failure_at(*host);
  }();
  host.reset();
  EXPECT_EQ(failure.code(), failure_code::kNoHost);
  EXPECT_THAT(failure.what(), HasSubstr("what listens there runs as user 65534, expected user 12345 or root"));
  EXPECT_TRUE(heard.empty());
}

TEST(AdminClient, BringsTheAnswerAlsoWhenItComesInPieces) {
  const FakeHost host([](int client) {
    read_request(client);
    wire::AdminAnswer answer;
    answer.document = wire::Item(200'000, 0x01);
    const auto frame = wire::frame_of(answer);
    write(client, {frame.begin(), frame.begin() + 3});
    write(client, {frame.begin() + 3, frame.end()});
  });
  const auto answer = AdminClient(host.run_dir()).ask(request_of("status"));
  EXPECT_EQ(answer.document.value().size(), 200'000u);
}

TEST(AdminClient, SaysWhatWasTriedWhereThereIsNoHost) {
  const TemporaryDirectory empty;
  const Failure failure = failure_of([&] { AdminClient client(empty.path()); });
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_THAT(failure.what(), HasSubstr((empty.path() / "busbar.sock").string()));
  EXPECT_THAT(failure.what(), HasSubstr("no such socket"));
  EXPECT_THAT(failure.hint(), HasSubstr("--run-dir"));
}

TEST(AdminClient, SaysThatTheHostOfASocketHasEnded) {
  const TemporaryDirectory directory;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, (directory.path() / "busbar.sock").c_str());
  const int left_behind = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(left_behind, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(left_behind);
  const Failure failure = failure_of([&] { AdminClient client(directory.path()); });
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_THAT(failure.what(), HasSubstr("has ended"));
}

TEST(AdminClient, RefusesARunDirectoryThatNoSocketCanBeIn) {
  const Failure failure = failure_of([] { AdminClient client("/" + std::string(200, 'x')); });
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_THAT(failure.what(), HasSubstr("bytes"));
}

TEST(AdminClient, AHostThatDiesMeanwhileIsNoHost) {
  const FakeHost host([](int client) { read_request(client); });
  const Failure failure = failure_at(host);
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_THAT(failure.what(), HasSubstr("before it answered"));
}

TEST(AdminClient, AHostThatDiesInTheMiddleOfItsAnswerIsNoHost) {
  const FakeHost host([](int client) {
    read_request(client);
    write(client, {100, 0, 0, 0, 0xA1});
  });
  EXPECT_EQ(failure_at(host).status(), ExitStatus::no_host);
}

/// Until the client goes.
void be_silent(int client) {
  read_request(client);
  char byte;
  EXPECT_EQ(::recv(client, &byte, 1, 0), 0);
}

TEST(AdminClient, AHostThatStandsStillIsNoHost) {
  for (const char* verb : {"status", "plugins"}) {
    const FakeHost host(be_silent);
    const Failure failure =
        failure_of([&] { AdminClient(host.run_dir(), std::chrono::milliseconds(600)).ask(request_of(verb)); });
    EXPECT_EQ(failure.status(), ExitStatus::no_host);
    EXPECT_EQ(failure.code(), failure_code::kNoHost);
    EXPECT_THAT(failure.what(), HasSubstr("did not answer within ")) << verb;
  }
}

TEST(AdminClient, AHostThatTellsItsStatusIsWaitedFor) {
  std::optional<FakeHost> host;
  host.emplace([&](int client) {
    read_request(client);
    wire::AdminAnswer answer;
    const int other = host->accept_another();
    read_request(other);
    write(other, wire::frame_of(answer));
    ::close(other);
    answer.document = wire::Item(1, 0x01);
    write(client, wire::frame_of(answer));
  });
  const auto answer = AdminClient(host->run_dir(), std::chrono::milliseconds(2'000)).ask(request_of("plugins"));
  EXPECT_TRUE(answer.document);
}

TEST(AdminClient, ACallMayTakeItsTime) {
  const FakeHost host(be_silent);
  wire::AdminRequest request = request_of("call");
  request.timeout_ms = 1'000;
  const auto begin = std::chrono::steady_clock::now();
  const Failure failure = failure_of([&] { AdminClient(host.run_dir(), std::chrono::milliseconds(100)).ask(request); });
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
}

TEST(AdminClient, AHostThatStopsIsNoHost) {
  const FakeHost host([](int client) {
    read_request(client);
    wire::AdminAnswer answer;
    answer.error = wire::AdminError{"stopping", "the host is stopping"};
    write(client, wire::frame_of(answer));
  });
  const Failure failure = failure_at(host);
  EXPECT_EQ(failure.status(), ExitStatus::no_host);
  EXPECT_EQ(failure.code(), "stopping");
}

TEST(AdminClient, AServiceThatNobodyOffersHasAStatusOfItsOwn) {
  const FakeHost host([](int client) {
    read_request(client);
    wire::AdminAnswer answer;
    answer.error = wire::AdminError{"service_unavailable", "nobody provides it"};
    write(client, wire::frame_of(answer));
  });
  EXPECT_EQ(failure_at(host).status(), ExitStatus::service_unavailable);
}

TEST(AdminClient, ShowsWhyItsRequestWasRefusedBeforeAllOfItWasRead) {
  const FakeHost host([](int client) {
    std::uint8_t head[wire::kFrameHead];
    ASSERT_EQ(::recv(client, head, sizeof head, MSG_WAITALL), static_cast<ssize_t>(sizeof head));
    wire::AdminAnswer answer;
    answer.error = wire::AdminError{"malformed", "too long"};
    write(client, wire::frame_of(answer));
  });
  wire::AdminRequest request = request_of("call");
  request.request = wire::Item(10'000'000, 0x01);
  const Failure failure = failure_of([&] { AdminClient(host.run_dir()).ask(request); });
  EXPECT_EQ(failure.status(), ExitStatus::error);
  EXPECT_EQ(failure.code(), "malformed");
  EXPECT_THAT(failure.what(), HasSubstr("too long"));
}

TEST(AdminClient, AnotherVersionOfTheProtocolIsToldInWords) {
  const FakeHost host([](int client) {
    read_request(client);
    wire::AdminAnswer answer;
    answer.protocol = 7;
    write(client, wire::frame_of(answer));
  });
  const Failure failure = failure_at(host);
  EXPECT_EQ(failure.code(), "protocol");
  EXPECT_THAT(failure.what(), HasSubstr("version 7"));
}

TEST(AdminClient, WhatIsNoAnswerIsAFailureAndNoCrash) {
  for (const std::vector<std::uint8_t>& bytes : std::vector<std::vector<std::uint8_t>>{
           {0, 0, 0, 0}, {1, 0, 0, 0, 0xFF}, {1, 0, 0, 0, 0xA0}, {3, 0, 0, 0, 'a', 'b', 'c'}}) {
    const FakeHost host([&](int client) {
      read_request(client);
      write(client, bytes);
    });
    const Failure failure = failure_at(host);
    EXPECT_EQ(failure.status(), ExitStatus::error);
    EXPECT_THAT(failure.what(), HasSubstr("could not read the host's answer"));
  }
}

}  // namespace
}  // namespace busbar::cli
