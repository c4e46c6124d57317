#include "log/writer.hpp"

#include "log/line_queue.hpp"
#include "log/text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace busbar::host {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostWaiting = 4 * 1024 * 1024;  // bytes
// A pipe that says that it can be written to has room for as much.
constexpr std::size_t kAtOnce = 4096;
constexpr milliseconds kLastWords{1'000};
// How long after a failure it is looked whether what could not be written can be told of.
constexpr milliseconds kNextTry{1'000};
constexpr int kForEver = -1;

bool is_file(int descriptor) noexcept {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

int until(Clock::time_point end) noexcept {
  const auto left = std::chrono::ceil<milliseconds>(end - Clock::now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, 60'000));
}

}  // namespace

class LogWriter::Core {
 public:
  explicit Core(LogTarget target) : target_(std::move(target)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "could not start the log's thread");
  }
  ~Core() {
    ::close(wake_);
    if (!target_.file.empty()) ::close(target_.descriptor);
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  LineQueue& queue() noexcept { return queue_; }
  const LogTarget& target() const noexcept { return target_; }

  // -- by others

  void wake() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_, &one, sizeof one));  // where it is full it wakes as well
  }
  void reopen() noexcept {
    must_reopen_.store(true, std::memory_order_release);
    wake();
  }
  void end_by(Clock::time_point end) noexcept {
    end_by_.store(end, std::memory_order_relaxed);
    ending_.store(true, std::memory_order_release);
    wake();
  }
  bool has_ended() const noexcept { return has_ended_.load(std::memory_order_acquire); }

  // -- the thread

  void run() noexcept {
    for (;;) {
      reopen_where_asked();
      const bool ends = ending_.load(std::memory_order_acquire);  // first: what was logged before is seen below
      auto line = queue_.take();
      if (line == nullptr) {
        untold_ += queue_.take_lost();
        const bool told = tell_lost();
        if (ends) break;
        sleep(told ? kForEver : static_cast<int>(kNextTry.count()));
      }
      for (; line != nullptr; line = std::move(line->next)) {
        reopen_where_asked();
        write(*line);
        queue_.done(*line);
      }
    }
    has_ended_.store(true, std::memory_order_release);
  }

 private:
  void write(const LineQueue::Line& line) noexcept {
    untold_ += line.lost_before;
    if (tell_lost() && put(line.text)) return;
    queue_.count_lost();
    ++untold_;
  }

  // False: there is something to tell, and it cannot be.
  bool tell_lost() noexcept {
    if (untold_ == 0) return true;
    if (!say(LogLevel::warn, "lines of the log were lost here: they were not taken in time, or could not be written",
             {{"lost", untold_}}))
      return false;
    untold_ = 0;
    return true;
  }

  bool say(LogLevel level, std::string_view message, LogFields fields) noexcept try {
    std::string line = log_line(target_.form, std::chrono::system_clock::now(), level, "host.log", message, fields);
    line += '\n';
    return put(line);
  } catch (const std::bad_alloc&) {
    return false;
  }

  // Writes a line whole. Where that fails in its middle, the next one does not begin behind what is there.
  bool put(std::string_view line) noexcept {
    if (is_cut_) {
      if (!write_all("\n")) return false;
      is_cut_ = false;
    }
    return write_all(line);
  }

  bool write_all(std::string_view bytes) noexcept {
    const std::size_t all = bytes.size();
    while (!bytes.empty()) {
      if (!wait_for_room()) break;
      const ssize_t count = ::write(target_.descriptor, bytes.data(), std::min(bytes.size(), kAtOnce));
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    is_cut_ = is_cut_ || (!bytes.empty() && bytes.size() < all);
    return bytes.empty();
  }

  // Until it can be written to. False: this thread is to end, and its time is over.
  bool wait_for_room() noexcept {
    if (is_file_) return true;
    for (;;) {
      const bool ends = ending_.load(std::memory_order_acquire);
      std::array<pollfd, 2> both = {{{target_.descriptor, POLLOUT, 0}, {wake_, POLLIN, 0}}};
      const int found = ::poll(both.data(), both.size(), ends ? until(end_by_) : kForEver);
      if (found > 0 && both[0].revents != 0) return true;
      if (found > 0) empty_wake();
      if (found == 0 || (ends && Clock::now() >= end_by_.load(std::memory_order_relaxed))) return false;
    }
  }

  void sleep(int at_most_ms) const noexcept {
    pollfd wake{wake_, POLLIN, 0};
    ::poll(&wake, 1, at_most_ms);
    empty_wake();
  }
  void empty_wake() const noexcept {
    std::uint64_t count = 0;
    static_cast<void>(::read(wake_, &count, sizeof count));
  }

  // Between two lines. The descriptor keeps its number, which others know.
  void reopen_where_asked() noexcept {
    if (!must_reopen_.exchange(false, std::memory_order_acquire) || target_.file.empty()) return;
    const int opened = open_log_file(target_.file);
    if (opened < 0) {
      const int error = errno;
      say(LogLevel::warn, "could not open the log file anew: this one goes on",
          {{"file", target_.file.native()}, {"error", error_text(error)}});
      return;
    }
    ::dup3(opened, target_.descriptor, O_CLOEXEC);
    ::close(opened);
    is_file_ = is_file(target_.descriptor);
    is_cut_ = false;
  }

  const LogTarget target_;
  const int wake_;  // an eventfd
  LineQueue queue_{kMostWaiting};
  std::atomic<bool> must_reopen_{false};
  std::atomic<bool> ending_{false};
  std::atomic<Clock::time_point> end_by_{Clock::time_point::max()};
  std::atomic<bool> has_ended_{false};

  // of the thread
  bool is_file_ = is_file(target_.descriptor);
  bool is_cut_ = false;
  std::uint64_t untold_ = 0;  // lines that were lost
};

LogWriter::LogWriter(LogTarget target) : core_(std::make_shared<Core>(std::move(target))) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread takes none: also not that of a pipe whose reader has gone
  try {
    std::thread([core = core_] {
      pthread_setname_np(pthread_self(), "busbar-log");
      core->run();
    }).detach();
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

namespace {

// Looks each millisecond: a signal handler can wait in no other way, and nobody else waits often.
template <class Condition>
bool wait_for(Condition holds, milliseconds at_most) noexcept {
  const auto end = Clock::now() + at_most;
  while (!holds()) {
    if (Clock::now() >= end) return false;
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

}  // namespace

LogWriter::~LogWriter() {
  core_->end_by(Clock::now() + kLastWords);
  // It may be inside of a write that does not end; then it is left there.
  wait_for([this] { return core_->has_ended(); }, 2 * kLastWords);
}

LineForm LogWriter::form() const noexcept { return core_->target().form; }

void LogWriter::log(const spdlog::details::log_msg& line) {
  const std::string_view text(line.payload.data(), line.payload.size());
  if (core_->queue().put(text) == LineQueue::Put::first) core_->wake();
}

void LogWriter::reopen() noexcept { core_->reopen(); }

bool LogWriter::wait(milliseconds at_most) const noexcept {
  LineQueue& queue = core_->queue();
  const std::uint64_t before = queue.all_put();
  return wait_for([&] { return queue.all_done() >= before; }, at_most);
}

void LogWriter::write_last(std::string_view bytes) const noexcept {
  const auto end = Clock::now() + kLastWords;
  while (!bytes.empty()) {
    pollfd there{core_->target().descriptor, POLLOUT, 0};
    if (::poll(&there, 1, until(end)) <= 0) return;
    const ssize_t count = ::write(there.fd, bytes.data(), std::min(bytes.size(), kAtOnce));
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::uint64_t LogWriter::dropped() const noexcept { return core_->queue().lost(); }

}  // namespace busbar::host
