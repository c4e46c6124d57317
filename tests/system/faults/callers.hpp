// Many callers in a process of their own, which is a member of the cluster (callers_program.cpp).
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "system/support/test_host.hpp"

namespace busbar::system_tests {

/// What a node has that was told nothing (config/busbar.toml).
struct NodeDefaults {
  static constexpr std::chrono::milliseconds heartbeat{1'000};
  static constexpr std::chrono::milliseconds lost_after{3'000};
};

/// Ownership: its process. Threads: one.
class Callers {
 public:
  struct What {
    std::string name;
    std::string seed;
    std::string machine{};  ///< see Command
    std::string host = "127.0.0.1";
    std::chrono::milliseconds heartbeat{200};
    std::chrono::milliseconds lost_after{2'000};
    std::chrono::milliseconds budget{10'000};
  };
  /// `scratch`: a directory for what it says.
  Callers(const What& what, const std::filesystem::path& scratch);

  const std::string& name() const { return name_; }
  const Process& process() const { return process_; }
  /// What it has said last: see callers_program.cpp. Null: nothing yet.
  Json latest() const { return last_line(process_.out()); }
  std::uint64_t succeeded() const { return latest().value("succeeded", std::uint64_t{0}); }
  /// Waits until that many more calls have succeeded.
  bool wait_for_more(std::uint64_t calls) const;
  /// Ends it in order; what it has said last of all.
  Json stop();

  static int count();  ///< of callers

 private:
  static Json last_line(const std::string& said);

  std::string name_;
  Process process_;
};

}  // namespace busbar::system_tests
