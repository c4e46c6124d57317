// Which keys may change while a host runs, and how each is made to hold.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "config/config.hpp"
#include "log/log.hpp"
#include "node/node.hpp"
#include "plugins/plugin_manager.hpp"

namespace busbar::host {

/// The parts of a host that are told. Ownership: the host's.
struct RunningParts {
  const Logs& logs;
  Node& node;
  PluginManager& plugins;
};

/// A key, and who is told of its new value; several keys may have one function, which is then called once. Null: the
/// value is looked up whenever it is needed (Host::config). All other keys need a restart.
/// Threads: one change at a time, on any thread. Errors: std::bad_alloc at most; what else can be wrong with a value
/// was checked before.
struct LiveKey {
  std::string_view key;  ///< section.key
  void (*apply)(const RunningParts& host, const Config& config);
};

std::span<const LiveKey> live_keys();
/// Null: it needs a restart.
const LiveKey* find_live_key(std::string_view key);

/// Every key as the code has it, for the reference (tools/configuration.py):
/// {"keys": [{"section","key","description","expected","default","environment","live"}…],
///  "tables": [{"table","expected","live"}…]}.
/// `default`: as the file would write it, or in words. `tables`: those of which not all keys are known, with what each
/// value is; in the file only. Without [plugin.NAME], of which nothing is known.
nlohmann::ordered_json described_keys();

/// Hands the table [log.levels] on, too.
void apply_log_levels(const RunningParts& host, const Config& config);

/// Hands the tables [plugin.NAME] on, too: each is read by the next load of its plugin.
void apply_plugin_rules(const RunningParts& host, const Config& config);

}  // namespace busbar::host
