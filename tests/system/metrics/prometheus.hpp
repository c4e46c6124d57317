// Debian's prometheus, over the hosts of a test.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "system/support/process.hpp"
#include "system/support/test_host.hpp"

namespace busbar::system_tests {

/// Scrapes its targets each second, which they may take on a busy machine, and looks at its rules twice. Ownership: the
/// process. Threads: one.
class Prometheus {
 public:
  /// `targets`: addresses, by what they are called in alerts. In place of each of the rules' `for:` a
  /// second is used; nothing else of them is changed. Its files lie in `folder`.
  Prometheus(const std::filesystem::path& folder, const std::map<std::string, std::string>& targets,
             const std::filesystem::path& rules);

  /// Waits until it has scraped all of them. False: it did not come to that; then `said` tells more.
  bool scrapes_all();
  /// Waits until it has looked at its rules so many times more.
  bool evaluates(int times);
  /// Which alerts fire for which targets: "BusbarHostDown c".
  std::set<std::string> firing() { return alerts(false); }
  /// Those that fire, or will unless what they are about ends within their `for:`.
  std::set<std::string> raised() { return alerts(true); }
  std::string said() const { return process_.err(); }

 private:
  std::string address();
  std::string body_of(const std::string& path);
  Json ask(const std::string& path);
  std::set<std::string> alerts(bool pending_too);
  int evaluations();

  const std::size_t targets_;
  std::string address_;
  Process process_;
};

}  // namespace busbar::system_tests
