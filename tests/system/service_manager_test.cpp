// What a host tells the service manager that has started it (sd_notify(3)), over a socket as systemd has it.
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Where a host says how it is. Threads: one.
class Manager {
 public:
  explicit Manager(const std::filesystem::path& path) : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    const timeval moment{0, 5'000};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot listen at " + path.native());
    }
  }
  ~Manager() { close(socket_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// The next message that has the text; those before it are passed over. Empty: none came.
  std::string hears(const std::string& text) {
    std::string found;
    eventually([&] {
      found = next();
      return found.find(text) != std::string::npos;
    });
    return found.find(text) == std::string::npos ? std::string() : found;
  }
  /// What has been said until now.
  std::string all() {
    std::string out;
    for (std::string one = next(); !one.empty(); one = next()) out += one + "\n";
    return out;
  }

  /// The next message; empty: there is none yet.
  std::string next() const {
    char text[4096];
    const ssize_t size = recv(socket_, text, sizeof text, 0);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
  }

 private:
  const int socket_;
};

class ServiceManager : public SystemTest {
 protected:
  void SetUp() override { host.variables["NOTIFY_SOCKET"] = socket(); }
  void start_watched(const char* watchdog_us) {
    host.variables["WATCHDOG_USEC"] = watchdog_us;
    host.start();
  }
  std::string socket() const { return host.root() / "notify"; }
  /// `busbar ARGUMENTS`, without the host's run directory.
  Process start_elsewhere(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), tested::busbar());
    Command command;
    command.arguments = std::move(arguments);
    command.scratch = host.root() / "said";
    return Process(command);
  }

  Manager manager{host.root() / "notify"};
};

TEST_F(ServiceManager, IsToldOfTheStartWhenTheFirstScanIsOverAndGivenMoreTimeUntilThen) {
  host.configure("[plugins]\ntrial_timeout = \"10m\"\n");
  host.add("hangs_in_initialiser");
  host.add("greeter");
  host.variables["WATCHDOG_USEC"] = "300000";
  Process starting = host.start_process();
  const std::string said = manager.hears("EXTEND_TIMEOUT_USEC");
  EXPECT_THAT(said, HasSubstr("WATCHDOG=1"));
  EXPECT_THAT(said, HasSubstr("STATUS=starting"));
  EXPECT_EQ(host.ask({"status"}).json["ready"], false);
  EXPECT_THAT(manager.all(), Not(HasSubstr("READY=1")));
  starting.signal(SIGTERM);
  EXPECT_THAT(manager.hears("STOPPING=1"), Not(HasSubstr("READY=1")));
  ASSERT_TRUE(starting.wait());
}

TEST_F(ServiceManager, IsToldThatItIsReadyAndWithWhat) {
  host.add("greeter");
  host.start();
  const std::string said = manager.hears("READY=1");
  EXPECT_THAT(said, HasSubstr("STATUS=serving 1 services of 1 plugins, 0 other nodes"));
}

TEST_F(ServiceManager, IsToldWhenALookAtTheDirectoryByASignalBeginsAndEnds) {
  host.start();
  ASSERT_NE(manager.hears("READY=1"), "");
  host.add("greeter");
  host.process().signal(SIGHUP);
  EXPECT_THAT(manager.hears("RELOADING=1"), HasSubstr("MONOTONIC_USEC="));
  EXPECT_NE(manager.hears("READY=1"), "");
  EXPECT_EQ(host.plugin("greeter.so")["state"], "serving") << "it was told before the end";
}

class StopTime : public ServiceManager, public testing::WithParamInterface<std::pair<const char*, const char*>> {};

// What it waits for calls, what it waits for plugins after that, and a margin, so that nothing is killed in the middle.
TEST_P(StopTime, FollowsTheConfiguration) {
  host.configure("[shutdown]\ntimeout = \"" + std::string(GetParam().first) + "\"\n");
  start_watched("60000000");
  host.process().signal(SIGTERM);
  const std::string said = manager.hears("STOPPING=1");
  EXPECT_THAT(said, HasSubstr("\nEXTEND_TIMEOUT_USEC=" + std::string(GetParam().second)));
  EXPECT_THAT(said, HasSubstr("\nWATCHDOG_USEC=" + std::string(GetParam().second)));
  host.finish();
}

INSTANTIATE_TEST_SUITE_P(Timeouts, StopTime,
                         testing::Values(std::pair("10s", "20000000"), std::pair("2m", "130000000")),
                         [](const auto& with) { return std::string(with.param.first); });

class HeldUp : public ServiceManager, public testing::WithParamInterface<const char*> {};

TEST_P(HeldUp, ItsWatchdogHearsNothing) {
  host.add("behaviours");
  start_watched("300000");
  ASSERT_NE(manager.hears("WATCHDOG=1"), "");
  ASSERT_NE(manager.hears("WATCHDOG=1"), "");
  // An inline service that does not come back, on the thread that its caller reaches; all others go on.
  std::vector<std::string> call = {"call", "inline_stays"};
  if (GetParam() == std::string("serve")) {
    const std::string address = host.ask({"status"}).json["cluster"]["address"];
    call.insert(call.begin(), {"--connect", address});
  }
  const Process caller = GetParam() == std::string("admin") ? host.start_busbar(call) : start_elsewhere(call);
  const std::string thread = "busbar-" + std::string(GetParam());
  int in_a_row = 0;  // one alone may be late on a busy machine
  EXPECT_TRUE(eventually([&] {
    const std::string said = manager.next();
    if (said.empty()) return false;
    const bool is_told = said.find(thread) != std::string::npos && said.find("WATCHDOG=1") == std::string::npos;
    in_a_row = is_told ? in_a_row + 1 : 0;
    return in_a_row == 5;
  }));
  host.kill();
}

INSTANTIATE_TEST_SUITE_P(Threads, HeldUp, testing::Values("admin", "serve"),
                         [](const auto& with) { return std::string(with.param); });

}  // namespace
}  // namespace busbar::system_tests
