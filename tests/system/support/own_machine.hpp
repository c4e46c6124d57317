// A machine of one's own, as far as a thread and the processes that it starts can tell: its network and its host names.
#pragma once

#include <string>
#include <string_view>

namespace busbar::system_tests {

/// While it lives, the thread that made it, and what that starts, are in a network namespace with a loopback alone, and
/// read host names from a file of their own and from nowhere else. Where that is not allowed `problem` says why.
/// Threads: the one that made it.
class OwnMachine {
 public:
  OwnMachine();
  ~OwnMachine();
  OwnMachine(const OwnMachine&) = delete;
  OwnMachine& operator=(const OwnMachine&) = delete;

  /// Why there is none, or empty.
  const std::string& problem() const { return problem_; }
  /// Gives it an address that is not the loopback's, such as "10.1.1.1/24", or "fd00::1/64".
  bool add_address(const std::string& address) const;
  /// Replaces the list of host names: lines of an address and names. Known to what runs already.
  void set_hosts(std::string_view lines) const;

 private:
  void enter();

  int network_before_ = -1;
  int mounts_before_ = -1;
  std::string directory_;
  std::string files_;  // the directory of what is mounted in place of the machine's own files
  std::string problem_;
};

}  // namespace busbar::system_tests
