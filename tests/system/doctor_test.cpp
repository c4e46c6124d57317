// `busbar doctor`: each fault is made, found, and said with what to do about it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>
#include <busbar/registry/incarnation.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "system/support/own_machine.hpp"
#include "system/support/test_cluster.hpp"
#include "system/support/test_keys.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A port of this machine that somebody has.
class TakenPort {
 public:
  TakenPort() {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    if (::bind(socket_, address, size) != 0 || ::listen(socket_, 4) != 0 ||
        ::getsockname(socket_, address, &size) != 0) {
      throw std::runtime_error("could not listen");
    }
    address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(here.sin_port));
  }
  ~TakenPort() { ::close(socket_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;
  const std::string& address() const { return address_; }
  /// Nobody has it any more.
  void give_up() { ::shutdown(socket_, SHUT_RDWR); }

 private:
  int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string address_;
};

/// What `doctor` says of a check that is not ok, all of it in one text; with "problem" or "warning" first.
std::vector<std::string> said(const Answer& answer, const std::string& check) {
  std::vector<std::string> out;
  for (const Json& row : answer.json["checks"]) {
    if (row["check"] != check || row["state"] == "ok") continue;
    EXPECT_NE(row["expected"], "") << row;
    EXPECT_NE(row["advice"], "") << row;
    out.push_back(row["state"].get<std::string>() + " " + row["subject"].get<std::string>() + ": " +
                  row["found"].get<std::string>() + " | " + row["expected"].get<std::string>() + " | " +
                  row["advice"].get<std::string>());
  }
  return out;
}
std::string first_said(const Answer& answer, const std::string& check) {
  const auto all = said(answer, check);
  return all.empty() ? "nothing of " + check + " in " + answer.out : all.front();
}

class Doctor : public SystemTest {
 protected:
  void SetUp() override { configure(); }
  /// A host that has nothing to complain of, and then `more`.
  void configure(const std::string& more = {}) {
    host.configure("[paths]\nplugins = \"plugins\"\nrun = \"run\"\nstate = \"state\"\n[node]\nname = \"tested\"\n" +
                   more);
  }
  /// Of the host that would be started with that file, or that was.
  Answer examine() const { return host.ask({"doctor", "--config", host.root() / "busbar.toml"}); }
};

TEST_F(Doctor, HasNothingToSayAgainstAHostThatCouldBeStarted) {
  host.add("greeter");
  const Answer well = examine();
  EXPECT_EQ(well.json["problems"], 0) << well.out;
  EXPECT_EQ(well.status, 0);
  for (const char* check : {"host", "configuration", "keys", "directories", "limits", "ports", "seeds", "clock"}) {
    EXPECT_THAT(well.out, HasSubstr("\"check\":\"" + std::string(check) + "\""));
  }
  EXPECT_FALSE(fs::exists(host.run_dir())) << "it changes nothing";
  EXPECT_FALSE(fs::exists(host.state()));
  const Ended people = host.busbar({"doctor", "--config", host.root() / "busbar.toml"});
  EXPECT_EQ(people.status, 0);
  EXPECT_THAT(people.out, HasSubstr("0 problems, "));
}

TEST_F(Doctor, FindsWhatIsWrongWithTheConfiguration) {
  configure("[pool]\nthread = 4\n");
  const Answer ill = examine();
  EXPECT_EQ(ill.status, 1);
  EXPECT_EQ(ill.json["problems"], 1);
  EXPECT_THAT(first_said(ill, "configuration"), HasSubstr("nearest known key: \"threads\""));
}

TEST_F(Doctor, FindsKeysThatCannotBeUsed) {
  TestKeys keys;
  keys.make("tested");
  const auto with_key = [&](const std::string& pair) {
    const auto flags = keys.flags(pair);
    configure("[security]\nmode = \"curve\"\nkey = \"" + flags[3] + "\"\nauthorized = \"" + flags[5] + "\"\n");
    return examine();
  };
  EXPECT_THAT(said(with_key("tested"), "keys"), IsEmpty());
  fs::permissions(keys.of("tested").private_file, fs::perms::group_read, fs::perm_options::add);
  EXPECT_THAT(first_said(with_key("tested"), "keys"), AllOf(HasSubstr("problem"), HasSubstr("chmod 600")));
  keys.make("other");
  EXPECT_THAT(first_said(with_key("other"), "keys"), HasSubstr("it is the key of node other | the key of node tested"));
  fs::permissions(keys.of("tested").private_file, fs::perms::group_read, fs::perm_options::remove);
  keys.take_away("tested");
  EXPECT_THAT(first_said(with_key("tested"), "keys"), AllOf(HasSubstr("warning"), HasSubstr("own key is not among")));
  write_file(fs::path(keys.flags("tested")[5]) / "broken.pub", "no key");
  EXPECT_THAT(first_said(with_key("tested"), "keys"), AllOf(HasSubstr("problem"), HasSubstr("broken.pub")));
  fs::remove(keys.of("tested").private_file);
  EXPECT_THAT(first_said(with_key("tested"), "keys"), HasSubstr("busbar keygen tested --role node"));
}

TEST_F(Doctor, FindsDirectoriesThatCannotBeUsed) {
  fs::create_directory(host.run_dir());
  fs::permissions(host.run_dir(), fs::perms::all);
  EXPECT_THAT(first_said(examine(), "directories"),
              AllOf(HasSubstr("problem"), HasSubstr("mode 0777"), HasSubstr("chmod")));
  fs::permissions(host.run_dir(), fs::perms::owner_all);
  fs::permissions(host.plugins(), fs::perms::all);
  EXPECT_THAT(first_said(examine(), "directories"), AllOf(HasSubstr("problem"), HasSubstr(host.plugins().string())));
  fs::remove(host.plugins());
  EXPECT_THAT(first_said(examine(), "directories"), HasSubstr("mkdir -p " + host.plugins().string()));
  fs::create_directory(host.plugins());
  write_file(host.state(), "a file");
  EXPECT_THAT(said(examine(), "directories"),
              testing::Contains(HasSubstr(host.state().string() + "\" is no directory")));
}

TEST_F(Doctor, FindsALogFileThatCannotBeWritten) {
  const auto with_log = [&](const fs::path& file) {
    configure("[log]\nfile = \"" + file.string() + "\"\n");
    return examine();
  };
  EXPECT_THAT(said(with_log(host.root() / "busbar.log"), "directories"), IsEmpty());
  EXPECT_FALSE(fs::exists(host.root() / "busbar.log")) << "it changes nothing";
  EXPECT_THAT(first_said(with_log(host.root() / "logs/busbar.log"), "directories"),
              AllOf(HasSubstr("problem"), HasSubstr("no such file or directory"), HasSubstr("log.file")));
  EXPECT_THAT(first_said(with_log(host.root()), "directories"), HasSubstr("it is a directory"));
}

// What is in it, and whether anybody holds it, is nothing that this user may see.
TEST_F(Doctor, SaysThatItMayNotLookIntoTheDirectoryOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  fs::create_directory(host.run_dir());
  fs::permissions(host.run_dir(), fs::perms::owner_all);
  fs::permissions(host.root(), fs::perms::owner_all);
  for (const bool may_see_it : {false, true}) {
    if (may_see_it) fs::permissions(host.root(), fs::perms::others_exec, fs::perm_options::add);
    Command command;
    command.arguments = {"setpriv", "--reuid",   "65534",        "--clear-groups", tested::busbar(),
                         "--json",  "--run-dir", host.run_dir(), "doctor"};
    command.scratch = host.root() / "said";
    const Ended ended = run(command);
    const Answer answer{ended.status, Json::parse(ended.out, nullptr, false), ended.out, ended.err};
    if (ended.status > 125) GTEST_SKIP() << "another user cannot run what was built: " << ended.err;
    EXPECT_EQ(answer.status, 1) << answer.err;
    EXPECT_THAT(said(answer, "host"),
                testing::ElementsAre(AllOf(HasSubstr("problem " + host.run_dir().string()),
                                           HasSubstr("permission denied"), HasSubstr("become the user"))));
    EXPECT_THAT(said(answer, "directories"), IsEmpty()) << "those are not the host's, as far as is known";
  }
}

TEST_F(Doctor, FindsFileSystemsThatCannotBeUsed) {
  const OwnMachine machine;  // with mounts of its own
  if (!machine.problem().empty()) GTEST_SKIP() << machine.problem();
  fs::create_directories(host.cache());
  fs::permissions(host.cache(), fs::perms::owner_all);
  const auto mounted = [&](unsigned long flags, const char* options) {
    EXPECT_EQ(::mount("none", host.cache().c_str(), "tmpfs", flags, options), 0) << std::strerror(errno);
    const Answer answer = examine();
    ::umount(host.cache().c_str());
    return answer;
  };
  EXPECT_THAT(first_said(mounted(MS_NOEXEC, "size=100m,mode=0700"), "directories"),
              AllOf(HasSubstr("problem"), HasSubstr("noexec"), HasSubstr("--cache-dir")));
  EXPECT_THAT(first_said(mounted(0, "size=512k,mode=0700"), "directories"),
              AllOf(HasSubstr("problem"), HasSubstr("512KiB are free")));
  EXPECT_THAT(first_said(mounted(0, "size=8m,mode=0700"), "directories"),
              AllOf(HasSubstr("warning"), HasSubstr("8MiB are free")));
  EXPECT_THAT(first_said(mounted(MS_RDONLY, "size=100m,mode=0700"), "directories"), HasSubstr("read-only"));
}

TEST_F(Doctor, FindsTooFewDescriptors) {
  const auto with_limit = [&](int most) {
    Command command;
    command.arguments = {"/bin/sh",
                         "-c",
                         "ulimit -n " + std::to_string(most) + "; exec \"$@\"",
                         "sh",
                         tested::busbar(),
                         "--json",
                         "doctor",
                         "--config",
                         host.root() / "busbar.toml"};
    command.scratch = host.root() / "said";
    const Ended ended = run(command);
    return Answer{ended.status, Json::parse(ended.out, nullptr, false), ended.out, ended.err};
  };
  EXPECT_THAT(first_said(with_limit(1'000), "limits"),
              AllOf(HasSubstr("warning descriptors: 1000 are allowed"), HasSubstr("16250"), HasSubstr("LimitNOFILE=")));
  EXPECT_THAT(first_said(with_limit(50), "limits"), HasSubstr("problem descriptors: 50 are allowed | at least 64"));
}

TEST_F(Doctor, FindsPortsThatAreTakenAndAddressesOfOtherMachines) {
  const TakenPort port;
  configure("[cluster]\nlisten = \"" + port.address() + "\"\n");
  EXPECT_THAT(first_said(examine(), "ports"),
              AllOf(HasSubstr("problem " + port.address()), HasSubstr("already in use"), HasSubstr("cluster.listen")));
  configure("[cluster]\ninsecure = true\nregistry_listen = \"tcp://192.0.2.1:4711\"\n");
  EXPECT_THAT(first_said(examine(), "ports"), AllOf(HasSubstr("cannot assign"), HasSubstr("cluster.registry_listen")));
  EXPECT_THAT(first_said(examine(), "keys"), HasSubstr("warning cluster.insecure"));
  configure("[http]\nlisten = \"" + port.address().substr(6) + "\"\n");
  EXPECT_THAT(first_said(examine(), "ports"),
              AllOf(HasSubstr("problem " + port.address()), HasSubstr("already in use"), HasSubstr("http.listen")));
}

TEST_F(Doctor, FindsSeedsThatNobodyAnswersAt) {
  const TakenPort answers;
  TakenPort silent;
  silent.give_up();
  configure("[cluster]\njoin = [\"" + silent.address() + "\"]\n");
  EXPECT_THAT(first_said(examine(), "seeds"), AllOf(HasSubstr("problem " + silent.address()), HasSubstr("refused")));
  configure("[cluster]\njoin = [\"" + silent.address() + "\", \"" + answers.address() + "\"]\n");
  EXPECT_THAT(first_said(examine(), "seeds"), HasSubstr("warning " + silent.address()));
  configure("[cluster]\ninsecure = true\njoin = [\"tcp://nobody.invalid:4711\"]\n");
  EXPECT_THAT(first_said(examine(), "seeds"), HasSubstr("problem tcp://nobody.invalid:4711"));
}

TEST_F(Doctor, FindsAClockThatWasSetBack) {
  fs::create_directories(host.state());
  const auto in_a_day = std::chrono::system_clock::now() + std::chrono::hours(24);
  registry::next_incarnation(host.state(), in_a_day);
  EXPECT_THAT(said(examine(), "clock"), testing::Contains(HasSubstr("the clock was set back")));
}

// ------------------------------------------------------------------------------------------------- a host that runs

TEST_F(Doctor, JudgesTheHostThatRuns) {
  host.add("greeter");
  host.add("start_fails");
  host.start();
  const Answer ill = host.ask({"doctor"});
  EXPECT_EQ(ill.status, 1);
  EXPECT_EQ(ill.json["problems"], 1) << ill.out;
  EXPECT_THAT(first_said(ill, "plugins"), AllOf(HasSubstr("problem start_fails"), HasSubstr("failed")));
  EXPECT_THAT(said(ill, "configuration"), IsEmpty());
  EXPECT_THAT(said(ill, "ports"), IsEmpty());
  configure("[log]\nlevel = \"debug\"\n[pool]\nqueue = 5\n");
  const auto changed = said(host.ask({"doctor"}), "configuration");
  EXPECT_THAT(changed, testing::Contains(AllOf(HasSubstr("warning log.level"), HasSubstr("busbar config reload"))));
  EXPECT_THAT(changed, testing::Contains(AllOf(HasSubstr("warning pool.queue"), HasSubstr("restart the host"))));
  host.configure("[log\n");
  EXPECT_THAT(first_said(host.ask({"doctor"}), "configuration"), HasSubstr("problem"));
}

TEST_F(Doctor, TellsOfPluginsThatKeepTheHostFromBeingReady) {
  configure("[readiness]\nrequire = [\"zork\"]\n");
  host.add("start_fails");
  write_file(host.plugins() / "bad.so", "no library");
  Process process = host.start_process();
  ASSERT_TRUE(eventually([&] { return host.ask({"status"}).json["begun"] == true; })) << process.err();
  const Answer ill = host.ask({"doctor"});
  EXPECT_EQ(ill.status, 1);
  EXPECT_THAT(first_said(ill, "host"),
              AllOf(HasSubstr("problem tested: it is not ready: service \"zork\" is not provided here"),
                    HasSubstr("the door is locked"), HasSubstr("readiness.require")));
  EXPECT_THAT(said(ill, "plugins"), testing::UnorderedElementsAre(HasSubstr("problem bad.so: failed"),
                                                                  HasSubstr("problem start_fails: failed")));
  EXPECT_THAT(ill.out, HasSubstr("this node is the only one"));
  process.signal(SIGTERM);
  EXPECT_TRUE(process.wait());
}

TEST_F(Doctor, DoesNotWaitForAHostWhoseFirstScanIsNotOver) {
  configure("[plugins]\ntrial_timeout = \"10m\"\n");
  host.add("hangs_in_create");
  Process process = host.start_process();
  ASSERT_TRUE(eventually([&] { return host.busbar({"status"}).status == 0; })) << process.err();
  EXPECT_THAT(first_said(host.ask({"doctor"}), "host"),
              AllOf(HasSubstr("warning tested: it is not ready: the first scan of the plugin directory is not over"),
                    HasSubstr("wait")));
  process.signal(SIGTERM);
  EXPECT_TRUE(process.wait());
}

TEST_F(Doctor, LooksAtEachAddressOfTheHostThatRuns) {
  configure("[http]\nlisten = \"127.0.0.1:0\"\n");
  host.start();
  const Answer well = host.ask({"doctor"});
  EXPECT_EQ(well.json["problems"], 0) << well.out;
  const std::string http = host.ask({"status"}).json["http"]["address"];
  EXPECT_THAT(well.out, HasSubstr("\"the host listens there\",\"state\":\"ok\",\"subject\":\"tcp://" + http));
}

// Whatever way its directory is named: where nobody knows its configuration, another is not judged in its place.
TEST_F(Doctor, KnowsOfAHostThatHangsNoMoreThanItsDirectory) {
  host.start();
  host.process().freeze();
  const auto begin = [&](const char* scratch, const fs::path& run_dir, std::vector<std::string> more = {}) {
    Command command;
    command.arguments = {tested::busbar(), "--json", "--run-dir", run_dir, "doctor"};
    command.arguments.insert(command.arguments.end(), more.begin(), more.end());
    command.scratch = host.root() / scratch;
    fs::create_directory(command.scratch);
    return Process(command);
  };
  Process absolute = begin("said_1", host.run_dir());
  Process relative = begin("said_2", fs::relative(host.run_dir()));
  Process with_file = begin("said_3", host.run_dir(), {"--config", host.root() / "busbar.toml"});
  const auto answer = [](Process& process) {
    const Ended ended = process.wait().value_or(Ended{});
    return Answer{ended.status, Json::parse(ended.out, nullptr, false), ended.out, ended.err};
  };
  for (Process* each : {&absolute, &relative}) {
    const Answer hangs = answer(*each);
    EXPECT_EQ(hangs.status, 1) << hangs.out;
    EXPECT_THAT(said(hangs, "host"), testing::ElementsAre(AllOf(HasSubstr("problem " + host.run_dir().string()),
                                                                HasSubstr("did not answer within "))));
    EXPECT_THAT(said(hangs, "configuration"), testing::ElementsAre(HasSubstr("is not known")));
    EXPECT_EQ(hangs.json["checks"].size(), 2U) << hangs.out;
  }
  const Answer named = answer(with_file);
  EXPECT_THAT(first_said(named, "host"), HasSubstr("did not answer within "));
  EXPECT_THAT(named.out, HasSubstr("\"check\":\"keys\"")) << "what somebody names is looked at";
  host.process().signal(SIGCONT);
}

class DoctorOfACluster : public ClusterTest {};

TEST_F(DoctorOfACluster, TellsOfPeersOfTheirClocksAndOfAHostThatHangs) {
  cluster.add("a");
  cluster.add("b");
  ASSERT_TRUE(cluster.wait_until_whole());
  const Answer well = cluster["a"].ask({"doctor"});
  EXPECT_EQ(well.json["problems"], 0) << well.out;
  EXPECT_THAT(said(well, "peers"), IsEmpty());
  EXPECT_THAT(well.out, HasSubstr("round trip"));
  EXPECT_THAT(well.out, testing::ContainsRegex("its clock is [0-9]+ ms (behind|ahead of) this host's"));
  cluster["b"].process().freeze();
  Process of_b = cluster["b"].start_busbar({"--json", "doctor"});  // waits for it in vain
  EXPECT_TRUE(eventually([&] { return states_of(cluster["a"])["b"] != "up"; }));
  EXPECT_THAT(said(cluster["a"].ask({"doctor"}), "peers"), Not(IsEmpty()));
  EXPECT_TRUE(eventually([&] { return !states_of(cluster["a"]).contains("b"); }));
  const Answer lost = cluster["a"].ask({"doctor"});
  EXPECT_EQ(lost.status, 1);
  EXPECT_THAT(said(lost, "peers"),
              testing::ElementsAre(AllOf(HasSubstr("problem b: lost since 2"), HasSubstr("nothing was heard of it"))));
  EXPECT_THAT(lost.out, Not(HasSubstr("this node is the only one")));
  const auto ended = of_b.wait();
  cluster["b"].process().signal(SIGCONT);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 1);
  const Answer hangs{ended->status, Json::parse(ended->out, nullptr, false), ended->out, ended->err};
  EXPECT_THAT(first_said(hangs, "host"), AllOf(HasSubstr("problem"), HasSubstr("holds the run directory, but")));
}

}  // namespace
}  // namespace busbar::system_tests
