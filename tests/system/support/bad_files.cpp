#include "system/support/bad_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "system/support/test_host.hpp"
#include "system/support/tested_build.hpp"

namespace busbar::system_tests {

namespace fs = std::filesystem;

namespace {

// Those that are no library, or one that is damaged.
std::vector<BadFile> put_damaged_files(const fs::path& directory) {
  const std::string good = read_file(tested::plugin("good"));
  write_file(directory / "text.so", "#!/bin/sh\necho no library\n");
  write_file(directory / "empty.so", "");
  write_file(directory / "cut_short.so", good.substr(0, good.size() * 2 / 3));
  std::string zeroed = good;
  std::fill(zeroed.begin() + static_cast<std::ptrdiff_t>(good.size() / 2), zeroed.end(), '\0');
  write_file(directory / "zeroed_tail.so", zeroed);
  fs::create_symlink("/nowhere/at/all.so", directory / "dangling.so");
  fs::create_directory(directory / "folder.so");
  mkfifo((directory / "pipe.so").c_str(), 0600);
  return {{"text.so", {"text file"}},         {"empty.so", {"is empty"}},
          {"cut_short.so", {"cut short"}},    {"zeroed_tail.so", {"incomplete", "zeros"}},
          {"dangling.so", {"symlink"}},       {"folder.so", {"is a directory"}},
          {"pipe.so", {"not a regular file"}}};
}

// Those that the sanitizers' run-time library would make something else of: it reports, and exits.
std::vector<BadFile> crashing_fixtures() {
  if (under_any_sanitizer()) {
    return {{"crashes_in_initialiser.so", {"static initialisers"}, false},
            {"crashes_in_create.so", {"constructor"}, false},
            {"crashes_in_destroy.so", {"destructor"}, false}};
  }
  return {{"crashes_in_initialiser.so", {"SIGSEGV", "static initialisers"}, false},
          {"crashes_in_create.so", {"SIGABRT", "constructor"}, false},
          {"crashes_in_destroy.so", {"SIGBUS", "destructor"}, false},
          // What a sanitized library leaves undefined is the host's to define: there it fails when it is loaded.
          {"undefined_symbol.so", {"undefined symbol", "busbar_tests_nobody_defines_this"}}};
}

std::vector<BadFile> fixtures() {
  const std::string within = "did not finish within " + std::to_string(seconds_for_trials()) + " s";
  std::vector<BadFile> out = {
      {"no_descriptor.so", {"no plugin descriptor"}},
      {"no_entry.so", {"busbar_plugin_entry"}},
      {"other_abi_major.so", {"ABI 3", "1"}},
      {"bad_plugin_name.so", {"bad plugin name", "no/name"}},
      {"missing_dependency.so", {"libbusbar_tests_absent.so", "not found"}},
      {"constructor_throws.so", {"constructor failed", "no room for a router"}, false},
      {"create_fails.so", {"constructor failed", "no licence was found"}, false},
      {"throws_across_the_boundary.so", {"exception", "the lid is off"}, false},
      {"exits_in_create.so", {"ended its process", "constructor"}, false},
      {"hangs_in_initialiser.so", {within, "static initialisers"}, false},
      {"hangs_in_create.so", {within, "constructor"}, false},
      {"field_unnamed.so", {"Forgetful", "does not name a field"}, false},
      {"bad_service_name.so", {"bad service name", "Bad-Name"}, false},
      {"bad_schema.so", {"the request's schema of service", "no JSON", "line 1, column 18"}, false},
      {"example_unfit.so", {"its example would be refused", "item", "expected a name"}, false},
      {"inline_limited.so", {"is inline and has max_running 4"}},
      {"inline_limited_unsaid.so", {"is inline and has max_running 4"}, false},
      {"inlined_and_limited.so", {"constructor failed", "it is inlined() and has a limit(1)"}, false},
      {"queued_behind_none.so", {"its router has max_queued 10 without max_running"}},
      {"queued_behind_none_unsaid.so", {"its router has max_queued 10 without max_running"}, false},
      {"sticky_unfit.so", {"sticky field of service", "town", "expected a field of its requests, which are: ", "name"}},
      {"sticky_unfit_unsaid.so",
       {"sticky field of service", "town", "expected a field of its requests, which are: ", "name"},
       false},
      {"sticks_by_nothing.so",
       {"constructor failed", "forecast", "town", "expected a field of the request: ", "name"},
       false},
      {"service_twice.so", {"service_twice", "twice"}, false},
      {"no_service.so", {"offers no service"}, false},
      {"small_router.so", {"router has 16 bytes"}, false},
      {"start_fails.so", {"start failed", "the door is locked"}, false},
  };
  const auto crashing = crashing_fixtures();
  out.insert(out.end(), crashing.begin(), crashing.end());
  if (fs::exists(tested::plugin("other_architecture"))) {
    out.push_back({"other_architecture.so", {"is built for aarch64", "this host is x86_64"}});
  }
  return out;
}

}  // namespace

int seconds_for_trials() { return under_any_sanitizer() ? 10 : 2; }

std::vector<BadFile> put_bad_files(const fs::path& directory) {
  std::vector<BadFile> out = fixtures();
  for (const BadFile& bad : out) {
    fs::copy_file(tested::plugin(fs::path(bad.file).stem().string()), directory / bad.file);
  }
  const auto damaged = put_damaged_files(directory);
  out.insert(out.end(), damaged.begin(), damaged.end());
  if (geteuid() != 0) {  // who may read everything
    write_file(directory / "unreadable.so", "secret");
    fs::permissions(directory / "unreadable.so", fs::perms::none);
    out.push_back({"unreadable.so", {"cannot be read", "Permission denied"}});
  }
  return out;
}

}  // namespace busbar::system_tests
