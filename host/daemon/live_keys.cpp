#include "daemon/live_keys.hpp"

#include <algorithm>
#include <array>

#include "config/keys.hpp"

namespace busbar::host {

namespace {

void apply_seeds(const RunningParts& host, const Config& config) { host.node.set_seeds(config.cluster.join); }

void apply_peer_calls(const RunningParts& host, const Config& config) {
  host.node.dispatcher().limit_peer_calls(config.limits.peer_calls);
}

constexpr auto kLiveKeys = std::to_array<LiveKey>({
    {"cluster.join", apply_seeds},
    {"limits.peer_calls", apply_peer_calls},
    {"log.level", apply_log_levels},
    {"plugins.allow_world_writable", apply_plugin_rules},
    {"plugins.auto_rollback", apply_plugin_rules},
    {"plugins.drain_timeout", apply_plugin_rules},
    {"plugins.handover_timeout", apply_plugin_rules},
    {"plugins.max_crashes", apply_plugin_rules},
    {"plugins.max_retired", apply_plugin_rules},
    {"plugins.trial_timeout", apply_plugin_rules},
    {"shutdown.timeout", nullptr},
});

}  // namespace

std::span<const LiveKey> live_keys() { return kLiveKeys; }

const LiveKey* find_live_key(std::string_view key) {
  const auto found =
      std::find_if(kLiveKeys.begin(), kLiveKeys.end(), [&](const auto& each) { return each.key == key; });
  return found != kLiveKeys.end() ? &*found : nullptr;
}

nlohmann::ordered_json described_keys() {
  const Config defaults;
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  for (const Key& key : all_keys()) {
    const bool in_words = !key.default_in_words.empty();
    keys.push_back({{"section", key.section},
                    {"key", key.name},
                    {"description", key.description},
                    {"expected", expected_of(key)},
                    {"default", in_words ? std::string(key.default_in_words) : value_of(key, defaults).dump()},
                    {"environment", environment_variable(key)},
                    {"live", find_live_key(full_name(key)) != nullptr}});
  }
  nlohmann::ordered_json tables = nlohmann::ordered_json::array();
  tables.push_back({{"table", "log.levels"}, {"expected", expected_of(*find_key("log", "level"))}, {"live", true}});
  return {{"keys", std::move(keys)}, {"tables", std::move(tables)}};
}

void apply_log_levels(const RunningParts& host, const Config& config) { host.logs.levels().configure(config.log); }

void apply_plugin_rules(const RunningParts& host, const Config& config) {
  host.plugins.set_rules({config.plugins, config.plugin_tables});
}

}  // namespace busbar::host
