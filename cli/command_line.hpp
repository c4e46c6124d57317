// What was asked for on the command line.
#pragma once

#include <busbar/limits.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/options.hpp"
#include "failure.hpp"

namespace busbar::cli {

struct Command {
  std::string verb;
  bool json = false;
  std::filesystem::path run_dir;
  bool is_run_dir_given = false;   // else it is where a host is looked for
  std::string connect;             // the host's address on the call plane; empty: by its run directory
  std::string cluster = "busbar";  // that the host must belong to, with `connect`
  std::string key;                 // with `connect`: the file of the private key that it is asked with; empty: without
  std::string host_key;            // with `key`: the file of the host's public key
  std::string host_options;        // those of these that were given, for a command line that is shown

  std::string service;                      // call, validate, authorized, discover, describe
  std::string request = "{}";               // JSON, @file, or -
  std::vector<std::string> assigns;         // KEY=JSON
  std::optional<std::uint32_t> timeout_ms;  // absent: the service's own; of nodes with views: 5,000
  std::string dry_run = "no";               // no, yes, verbose
  std::string node;                         // call: who must serve it; empty: anybody
  std::string strategy;                     // call: how one of several is picked; empty: as the service says
  std::string sticky_key;                   // call: with the strategy "sticky"
  bool explain = false;                     // call: show where its time went
  std::string traceparent;                  // call: the W3C trace that it belongs to; empty: none

  std::string correlation_id;  // trail: of the calls that are told of

  bool views = false;              // nodes: what each of them says
  std::string visibility = "all";  // services: public, private, all
  std::vector<std::string> files;  // check
  std::string plugin;              // new: its name; load: its file; unload, reload, rollback: its name or its file's
  std::string directory;           // new, keygen: where the project's directory, or the files, are made; dev: the
                                   // project's directory; empty: here
  std::string config;              // dev: the host's configuration file; empty: none. config check, doctor: the file;
                                   // empty: the usual one, or none
  std::string action;              // config: check, show, reload
  bool secrets = false;            // config show: what plugins' own tables say as well
  std::string owner;               // keygen: the name of whose key it is
  std::string role = "client";     // keygen: what its owner may do
  std::string label;               // keygen: goes into the files' names; empty: nothing does

  std::vector<std::string> log_level;  // log-level: nothing, the level of all, or a part and its level

  bool follow = false;                   // events; of one `service` only, where one is given
  std::vector<std::string> event_kinds;  // events: of these kinds; empty: all

  BenchOptions bench;
  std::chrono::milliseconds interval{1'000};  // top: from one look to the next
  bool once = false;                          // top: no full screen
};

/// Help or the version was asked for: the text is printed, and that is all.
struct Printout {
  std::string text;
};

/// Looks up an environment variable; null where it is not set.
using Variables = std::function<const char*(const char* name)>;

/// Reads the arguments, the program's name not among them. Errors: Failure with status usage; Printout.
Command parse_command_line(std::vector<std::string> arguments, const Variables& variables);

/// Whether `--json` is among the arguments, also where they cannot be read otherwise: errors are JSON then too.
bool wants_json(const std::vector<std::string>& arguments);

/// Where a host is looked for that is not named: `$XDG_RUNTIME_DIR/busbar`, else `/run/busbar`.
std::filesystem::path default_run_dir(const Variables& variables);

}  // namespace busbar::cli
