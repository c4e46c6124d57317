#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fstream>

#include "plugins/file/descriptor_guard.hpp"
#include "plugins/file/trial.hpp"

namespace busbar::host {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestReport = 16 * 1024 * 1024;  // schemas and examples are in it
constexpr std::size_t kLongestSaid = 4096;
/// A child that others keep from the processors gets that time on top, up to so many times its timeout.
constexpr int kMostExtra = 9;

struct Pipe {
  DescriptorGuard read;
  DescriptorGuard write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  fcntl(ends[0], F_SETFL, O_NONBLOCK);  // ours alone: the child's end is another open file
  return {DescriptorGuard(ends[0]), DescriptorGuard(ends[1])};
}

/// What came through a pipe so far. Of what the child says only the end is kept, of its report all up to a limit.
struct Received {
  std::string text;
  std::size_t limit;
  bool keep_end;
  bool closed = false;
  bool too_long = false;

  void add(const char* data, std::size_t size) {
    text.append(data, size);
    if (text.size() <= limit) return;
    too_long = true;
    if (keep_end) {
      text.erase(0, text.size() - limit);
    } else {
      text.resize(limit);
    }
  }

  /// Takes what is there now; never waits.
  void read_from(int descriptor) {
    std::array<char, 16 * 1024> buffer;
    // A writer that never pauses must not hold us here beyond the deadline.
    for (int rounds = 0; rounds < 64 && !closed; ++rounds) {
      const ssize_t count = read(descriptor, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) {
        closed = true;
      } else {
        add(buffer.data(), static_cast<std::size_t>(count));
      }
    }
  }
};

struct Ending {
  bool in_time = false;
  std::optional<int> status;  ///< as waitpid tells it; absent when somebody else has reaped the child
};

/// The child, from its start until it has been reaped.
class Child {
 public:
  /// Returns 0 or an error number.
  int start(const std::filesystem::path& program, const std::filesystem::path& copy);
  Ending wait(std::chrono::milliseconds timeout, const std::stop_token& stop);

  Received report{{}, kLongestReport, false};
  Received said{{}, kLongestSaid, true};

 private:
  bool ended() const;
  std::chrono::nanoseconds kept_waiting() const;
  Ending kill_and_reap(bool in_time);

  Pipe report_pipe_;
  Pipe said_pipe_;
  pid_t pid_ = -1;
};

int Child::start(const std::filesystem::path& program, const std::filesystem::path& copy) {
  report_pipe_ = make_pipe();
  said_pipe_ = make_pipe();
  if (!report_pipe_.write.valid() || !said_pipe_.write.valid()) return errno;

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, report_pipe_.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, said_pipe_.write.get(), STDERR_FILENO);
  // Ours are all closed on exec; those of a program that embeds a host may not be.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);

  std::string name = program.string();
  std::string option = "--try-plugin";
  std::string path = copy.string();
  std::array<char*, 4> arguments{name.data(), option.data(), path.data(), nullptr};
  const int error = posix_spawn(&pid_, name.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  report_pipe_.write.reset();
  said_pipe_.write.reset();
  return error;
}

bool Child::ended() const {
  siginfo_t info{};
  // Left unreaped, so that its number stays ours until its group has been ended too.
  const int result = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return result != 0 || info.si_pid == pid_;
}

Ending Child::kill_and_reap(bool in_time) {
  kill(-pid_, SIGKILL);  // the whole group: whatever the plugin started goes with it
  int status = 0;
  pid_t reaped = -1;
  do {
    reaped = waitpid(pid_, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  return {in_time, reaped == pid_ ? std::optional<int>(status) : std::nullopt};
}

/// For how long it could have run, had others not had the processors: a trial gives way to calls. Zero where the kernel
/// does not tell (proc_pid_schedstat(5)).
std::chrono::nanoseconds Child::kept_waiting() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/schedstat");
  std::int64_t ran = 0, waited = 0;
  return in >> ran >> waited ? std::chrono::nanoseconds(waited) : std::chrono::nanoseconds(0);
}

Ending Child::wait(std::chrono::milliseconds timeout, const std::stop_token& stop) {
  const auto begun = Clock::now();
  auto deadline = begun + timeout;
  // The pipes' ends tell nothing of the child's: a process that it started may hold them open.
  // Not by pidfd_open: its header in glibc 2.36 cannot be used from C++.
  const DescriptorGuard end(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  const DescriptorGuard stopped(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::stop_callback wake(stop, [&] { eventfd_write(stopped.get(), 1); });
  const auto pause = end.valid() ? std::chrono::milliseconds(1000) : std::chrono::milliseconds(10);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    std::array<pollfd, 4> waiting{pollfd{report.closed ? -1 : report_pipe_.read.get(), POLLIN, 0},
                                  pollfd{said.closed ? -1 : said_pipe_.read.get(), POLLIN, 0},
                                  pollfd{end.get(), POLLIN, 0}, pollfd{stopped.get(), POLLIN, 0}};
    poll(waiting.data(), waiting.size(),
         static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), pause).count()));
    const bool is_over = ended();  // before reading, so that nothing written before the end is missed
    report.read_from(report_pipe_.read.get());
    said.read_from(said_pipe_.read.get());
    if (is_over || report.too_long) return kill_and_reap(true);
    if (stop.stop_requested()) return kill_and_reap(false);
    if (Clock::now() < deadline) continue;
    const auto later = begun + timeout + std::min<std::chrono::nanoseconds>(kept_waiting(), kMostExtra * timeout);
    if (later <= deadline) return kill_and_reap(false);
    deadline = later;
  }
}

/// Where in a plugin's life the child was, for the end of a sentence.
std::string place(const std::string& stage) {
  if (stage == "loading") return "while it was being loaded and its static initialisers ran";
  if (stage == "entering") return "while its entry function ran";
  if (stage == "creating") return "while its constructor ran";
  if (stage == "listing") return "while its services were being listed";
  if (stage == "destroying") return "while its destructor ran";
  if (stage == "unloading") return "while it was being unloaded and its static destructors ran";
  return "before it was loaded";
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(number);
}

std::string duration_text(std::chrono::milliseconds duration) {
  if (duration.count() % 1000 == 0) return std::to_string(duration.count() / 1000) + " s";
  return std::to_string(duration.count()) + " ms";
}

/// The last line that is not empty, which is where a dying process says why.
std::string last_line(const std::string& said) {
  const auto end = said.find_last_not_of("\n \t\r");
  if (end == std::string::npos) return {};
  const auto begin = said.rfind('\n', end);
  return printable(std::string_view(said).substr(begin == std::string::npos ? 0 : begin + 1, end - begin));
}

/// The child's own lines: the last stage that it named, and its result if it came so far.
struct ChildReport {
  std::string stage;
  nlohmann::json result;
};

ChildReport parse(const std::string& text) {
  ChildReport report;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    auto line = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                      text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    begin = end + 1;
    if (!line.is_object()) continue;
    if (line.contains("stage") && line["stage"].is_string()) report.stage = line["stage"].get<std::string>();
    if (line.contains("services") || line.contains("refused")) report.result = std::move(line);
  }
  return report;
}

TrialReport failure(TrialOutcome outcome, std::string reason) {
  TrialReport report;
  report.outcome = outcome;
  report.reason = std::move(reason);
  return report;
}

TrialReport judge_result(const nlohmann::json& result) {
  if (const auto refused = result.find("refused"); refused != result.end() && refused->is_string()) {
    return failure(TrialOutcome::refused, refused->get<std::string>());
  }
  try {
    TrialReport report;
    report.router = router_from_json(result);
    if (const auto unmapped = result.find("unmapped"); unmapped != result.end()) {
      report.unmapped = unmapped->get<bool>();
    }
    report.outcome = TrialOutcome::passed;
    return report;
  } catch (const std::exception& e) {
    return failure(TrialOutcome::no_report,
                   "its trial ended with a report that cannot be understood: " + printable(e.what()));
  }
}

TrialReport judge(const Child& child, const Ending& ending, std::chrono::milliseconds timeout) {
  const ChildReport report = parse(child.report.text);
  const std::string where = place(report.stage);
  const std::string last = last_line(child.said.text);
  const std::string saying = last.empty() ? "" : ", having said last \"" + last + "\"";

  if (!ending.in_time) {
    return failure(TrialOutcome::timed_out, "did not finish within " + duration_text(timeout) + " " + where);
  }
  if (child.report.too_long) {
    return failure(TrialOutcome::no_report,
                   "its trial reported more than " + std::to_string(kLongestReport) + " bytes " + where);
  }
  if (ending.status && WIFSIGNALED(*ending.status)) {
    return failure(TrialOutcome::crashed,
                   "crashed with " + signal_name(WTERMSIG(*ending.status)) + " " + where + saying);
  }
  if (!report.result.is_object()) {
    const std::string status = ending.status ? " with status " + std::to_string(WEXITSTATUS(*ending.status)) : "";
    return failure(TrialOutcome::no_report, "ended its process" + status + " " + where + saying);
  }
  return judge_result(report.result);
}

}  // namespace

TrialReport try_in_child(const std::filesystem::path& program, const std::filesystem::path& copy,
                         std::chrono::milliseconds timeout, const std::stop_token& stop) {
  Child child;
  if (const int error = child.start(program, copy); error != 0) {
    return failure(TrialOutcome::not_started,
                   "could not start \"" + program.string() + "\" for its trial: " + std::strerror(error));
  }
  const Ending ending = child.wait(timeout, stop);
  if (!ending.in_time && stop.stop_requested()) return failure(TrialOutcome::given_up, "its trial was given up");
  TrialReport report = judge(child, ending, timeout);
  report.said = child.said.text;
  return report;
}

}  // namespace busbar::host
