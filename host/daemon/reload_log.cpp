#include "daemon/reload_log.hpp"

namespace busbar::host {

namespace {

std::string text_of(const Key& key, const Config& config) {
  const auto value = value_of(key, config);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string names_of(const std::vector<const Key*>& keys) {
  std::string out;
  for (const Key* key : keys) out += (out.empty() ? "" : ", ") + full_name(*key);
  return out;
}

void log_changed(const ConfigReload& outcome, const Logger& log) {
  for (const Key* key : outcome.changed) {
    log.info("a key has changed", {{"key", full_name(*key)},
                                   {"before", text_of(*key, *outcome.before)},
                                   {"value", text_of(*key, *outcome.read)}});
  }
  if (!outcome.log_levels) return;
  log.info("a key has changed", {{"key", "log.levels"},
                                 {"before", log_levels_of(*outcome.before).dump()},
                                 {"value", log_levels_of(*outcome.read).dump()}});
}

void log_waiting(const ConfigReload& outcome, const Logger& log) {
  for (const Key* key : outcome.needs_restart) {
    const std::string name = full_name(*key);
    const std::string now = text_of(*key, *outcome.before), then = text_of(*key, *outcome.read);
    const auto with = outcome.together_with.find(key);
    if (with == outcome.together_with.end()) {
      log.warn("a key has changed that needs a restart", {{"key", name}, {"value", now}, {"after_restart", then}});
    } else {
      log.warn("a key has changed that what is in effect does not allow: it waits for a restart together with others",
               {{"key", name}, {"value", now}, {"after_restart", then}, {"with", names_of(with->second)}});
    }
  }
}

}  // namespace

void log_reload(const ConfigReload& outcome, const Logger& log) {
  for (const ConfigFault& fault : outcome.faults) {
    log.error("the configuration was not reloaded, nothing has changed", {{"reason", fault.text}});
  }
  log_changed(outcome, log);
  log_waiting(outcome, log);
  for (const std::string& plugin : outcome.tables) {
    log.info("a plugin's settings have changed, for when it is loaded again", {{"plugin", plugin}});
  }
  if (outcome.faults.empty()) log.info("configuration reloaded");
}

}  // namespace busbar::host
