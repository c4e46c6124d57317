#include "daemon/live_config.hpp"

#include <sys/stat.h>

#include <set>
#include <utility>

#include "config/between_keys.hpp"
#include "config/check.hpp"
#include "log/text.hpp"

namespace busbar::host {

namespace {

using nlohmann::json;

constexpr const char* kLogLevels = "log.levels";

// A pipe was read to its end at the start. Now it would be empty, or never end.
void check_can_be_read_again(const std::filesystem::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0 || S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)) return;
  throw ConfigError(
      {{"could not read configuration " + in_quotes(file.native()) +
        " again: found a pipe or a device, expected a file (hint: restart the host, or give it a file with "
        "--config)"}});
}

ConfigReload only_fault(std::shared_ptr<const Config> now, std::string text) {
  ConfigReload out;
  out.before = std::move(now);
  out.faults.push_back({std::move(text)});
  return out;
}

// Functions that several keys share are called once.
void apply(const ConfigReload& reload, const RunningParts& parts, const Config& config) {
  std::set<void (*)(const RunningParts&, const Config&)> calls;
  for (const Key* key : reload.changed) calls.insert(find_live_key(full_name(*key))->apply);
  if (reload.log_levels) calls.insert(apply_log_levels);
  if (!reload.tables.empty()) calls.insert(apply_plugin_rules);
  calls.erase(nullptr);
  for (const auto call : calls) call(parts, config);
}

json rows(const std::vector<const Key*>& keys, const ConfigReload& reload, const char* before, const char* after) {
  json out = json::array();
  for (const Key* key : keys) {
    const auto origin = reload.read->origins.find(full_name(*key));
    out.push_back({{"key", full_name(*key)},
                   {before, value_of(*key, *reload.before)},
                   {after, value_of(*key, *reload.read)},
                   {"where", origin == reload.read->origins.end() ? "the default" : origin->second.where}});
  }
  return out;
}

json restart_rows(const ConfigReload& reload) {
  json out = rows(reload.needs_restart, reload, "value", "after_restart");
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto found = reload.together_with.find(reload.needs_restart[i]);
    if (found == reload.together_with.end()) continue;
    for (const Key* other : found->second) out[i]["with"].push_back(full_name(*other));
  }
  return out;
}

json path_or_null(const std::optional<std::filesystem::path>& path) {
  if (!path) return nullptr;
  std::string text;  // a path may be any bytes
  append_printable(text, path->native());
  return text;
}

// The table [log.levels] is none of the keys: which parts it names is not ours to say.
json changed_rows(const ConfigReload& reload, const std::optional<std::filesystem::path>& file) {
  json changed = rows(reload.changed, reload, "before", "value");
  if (!reload.log_levels) return changed;
  changed.push_back({{"key", kLogLevels},
                     {"before", log_levels_of(*reload.before)},
                     {"value", log_levels_of(*reload.read)},
                     {"where", path_or_null(file)}});
  return changed;
}

bool take_if_allowed(const Key& key, const ConfigReload& reload, Config& in_effect) {
  Config next = in_effect;
  take_value(key, *reload.read, next);
  if (!faults_between_keys(next).empty()) return false;
  in_effect = std::move(next);
  return true;
}

// One that would do by itself is the one meant.
std::vector<const Key*> allowing(const Key& key, const ConfigReload& reload, const Config& in_effect) {
  std::vector<const Key*> others, enough;
  for (const Key* other : reload.needs_restart) {
    if (find_live_key(full_name(*other)) != nullptr) continue;
    others.push_back(other);
    Config next = in_effect;
    take_value(*other, *reload.read, next);
    if (take_if_allowed(key, reload, next)) enough.push_back(other);
  }
  return enough.empty() ? others : enough;
}

// A file that is good as a whole is not good in part: what some keys are allowed others decide, which need a restart.
void sort_changes(ConfigReload& reload) {
  Config in_effect = *reload.before;
  std::vector<const Key*> not_allowed;
  for (const Key* key : different_keys(*reload.before, *reload.read)) {
    const bool live = find_live_key(full_name(*key)) != nullptr;
    const bool now = live && take_if_allowed(*key, reload, in_effect);
    (now ? reload.changed : reload.needs_restart).push_back(key);
    if (live && !now) not_allowed.push_back(key);
  }
  for (const Key* key : not_allowed) reload.together_with[key] = allowing(*key, reload, in_effect);
}

}  // namespace

json to_json(const ConfigReload& reload, const std::optional<std::filesystem::path>& file) {
  return {
      {"reloaded", reload.faults.empty()},     {"file", path_or_null(file)}, {"changed", changed_rows(reload, file)},
      {"needs_restart", restart_rows(reload)}, {"plugins", reload.tables},   {"faults", to_json(reload.faults)}};
}

LiveConfig::LiveConfig(Config started_with, std::optional<ConfigSource> source)
    : source_(std::move(source)), now_(std::make_shared<const Config>(std::move(started_with))) {}

std::shared_ptr<const Config> LiveConfig::now() const {
  const MutexLock lock(mutex_);
  return now_;
}

std::optional<std::filesystem::path> LiveConfig::file() const { return source_ ? source_->file : std::nullopt; }

ConfigReload LiveConfig::read() const {
  const auto before = now();
  if (!source_) {
    return only_fault(before, "could not read the configuration again: the program that made this host has made it");
  }
  ConfigReload out;
  out.before = before;
  try {
    if (source_->file) check_can_be_read_again(*source_->file);
    out.read = std::make_shared<const Config>(load_config(*source_));
  } catch (const ConfigError& error) {
    out.faults = error.faults();
    return out;
  }
  sort_changes(out);
  out.log_levels = before->log.levels != out.read->log.levels;
  out.tables = different_tables(*before, *out.read);
  return out;
}

ConfigReload LiveConfig::look() const { return read(); }

ConfigReload LiveConfig::reload(const RunningParts& parts) {
  const MutexLock one_at_a_time(reloading_);
  ConfigReload out = read();
  if (!out.faults.empty()) return out;
  // What needs a restart stays as it is, and is said to be there for as long as the host runs.
  Config next = *out.read;
  for (const Key* key : out.needs_restart) take_value(*key, *out.before, next);
  auto in_effect = std::make_shared<const Config>(std::move(next));
  apply(out, parts, *in_effect);
  const MutexLock lock(mutex_);
  now_ = std::move(in_effect);
  return out;
}

json LiveConfig::document() const {
  const auto config = now();
  json keys = json::array();
  for (const Key& key : all_keys()) {
    const std::string name = full_name(key);
    const auto origin = config->origins.find(name);
    const bool is_default = origin == config->origins.end();
    keys.push_back({{"key", name},
                    {"value", value_of(key, *config)},
                    {"source", is_default ? "default" : name_of(origin->second.kind)},
                    {"live", find_live_key(name) != nullptr}});
    if (!is_default) keys.back()["where"] = origin->second.where;
  }
  keys.push_back({{"key", kLogLevels},
                  {"value", log_levels_of(*config)},
                  {"source", config->log.levels.empty() ? "default" : "file"},
                  {"live", true}});
  if (!config->log.levels.empty()) keys.back()["where"] = path_or_null(file());
  return {{"node", config->node},
          {"file", path_or_null(file())},
          {"keys", std::move(keys)},
          {"plugin_tables", config->plugin_tables},
          {"file_now", to_json(look(), file())}};
}

}  // namespace busbar::host
