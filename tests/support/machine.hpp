// A machine of one's own, as far as the kernel's networks are concerned.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace busbar::testing {

/// A network namespace: it is gone, with what is in it, when this and every thread and socket in it are.
class Machine {
 public:
  Machine() {
    std::thread([this] {
      if (::unshare(CLONE_NEWNET) != 0) {
        problem_ = std::string("a network namespace cannot be made here: ") + std::strerror(errno);
      } else {
        descriptor_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
      }
    }).join();
  }
  ~Machine() { ::close(descriptor_); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Why it is none, or empty.
  const std::string& problem() const { return problem_; }
  /// What names it, for ip(8).
  std::string path() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor_); }

  /// On a thread that is on this machine, as the threads are that it starts.
  template <class Task>
  void run(Task&& task) const {
    std::thread([&] {
      if (::setns(descriptor_, CLONE_NEWNET) == 0) task();
    }).join();
  }
  bool command(const std::string& line) const {
    bool succeeded = false;
    run([&] { succeeded = std::system((line + " 2>/dev/null").c_str()) == 0; });
    return succeeded;
  }

 private:
  std::string problem_;
  int descriptor_ = -1;
};

}  // namespace busbar::testing
