// A host of one's own: the real programs, in a directory of their own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "system/support/process.hpp"

namespace busbar::system_tests {

using Json = nlohmann::json;

/// What `busbar` answered.
struct Answer {
  int status = -1;
  mutable Json json;  ///< with --json: what it wrote; mutable, so that a member that is missing reads as null
  std::string out;
  std::string err;

  std::string kind() const { return json.value("response", ""); }
};

void PrintTo(const Answer& answer, std::ostream* out);

/// The directories of a host, and the programs over them.
class TestHost {
 public:
  TestHost();
  ~TestHost();
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  std::filesystem::path root() const { return root_; }
  std::filesystem::path plugins() const { return root_ / "plugins"; }
  std::filesystem::path run_dir() const { return root_ / "run"; }
  std::filesystem::path state() const { return root_ / "state"; }
  std::filesystem::path cache() const { return state() / "cache"; }
  std::filesystem::path socket() const { return run_dir() / "busbar.sock"; }

  /// Copies the plugin NAME of the tested build into the plugin directory, by a rename, as NAME.so or `as`.
  void add(std::string_view name, std::string_view as = {});

  /// Its configuration file.
  void configure(std::string_view toml) { write_file(root_ / "busbar.toml", toml); }
  std::map<std::string, std::string> variables;  ///< of the host's environment
  std::string machine;                           ///< where it runs, see Command
  std::vector<std::string> launcher;             ///< a command that becomes the host, whose own stands behind it

  /// Starts busbard without waiting for anything.
  Process start_process(std::vector<std::string> more = {}) const;
  /// Starts busbard, and waits until it is ready. Fails the test where it does not become that.
  void start(std::vector<std::string> more = {});
  /// Ends it by a signal, and expects that it stops in order. What it said.
  Ended stop(int signal);
  Ended stop();
  /// The same, where something else ends it.
  Ended finish();
  /// Ends it with SIGKILL; it is gone when this returns.
  void kill();
  /// It has ended by itself, and not in order; the process is not asked for any more.
  void forget() { host_.reset(); }
  bool started() const { return host_.has_value(); }
  Process& process() { return host_.value(); }
  /// What it has logged so far on standard error; all that it had logged when it answered whoever asked last.
  std::string log() const;

  /// `busbar --run-dir … ARGUMENTS`.
  Ended busbar(std::vector<std::string> arguments, const std::filesystem::path& input = "/dev/null") const;
  /// The same, not waited for.
  Process start_busbar(std::vector<std::string> arguments) const;
  /// `busbar --json ARGUMENTS`.
  Answer ask(std::vector<std::string> arguments, const std::filesystem::path& input = "/dev/null") const;
  Answer call(std::string service, const Json& request = Json::object(), std::vector<std::string> more = {}) const;

  /// The row of `busbar plugins --json` of the file, or null. Of several generations, the newest.
  Json plugin(std::string_view file) const;
  Json plugin_rows() const;

  /// The most memory that the host has had, in KiB.
  long most_memory_kib() const;

 private:
  Command command_of(std::vector<std::string> arguments) const;

  std::filesystem::path root_;
  std::optional<Process> host_;
};

/// A test with a host, which it starts itself; at its end the host must stop in order.
class SystemTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (host.started()) host.stop();
  }
  TestHost host;
};

/// Fails the test if a sanitizer reported something in `text`.
void expect_no_reports(const std::string& text);

/// Whether what is tested is built with one that finds memory errors and turns a crash into a report and an exit.
bool under_address_sanitizer();
bool under_any_sanitizer();

}  // namespace busbar::system_tests
