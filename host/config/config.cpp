#include "config/config.hpp"

#include "config/between_keys.hpp"
#include "config/keys.hpp"
#include "config/nearest.hpp"
#include "config/toml_file.hpp"
#include "log/text.hpp"

#include <busbar/names.hpp>

#include <algorithm>
#include <utility>

namespace busbar::host {

namespace fs = std::filesystem;

namespace {

std::string joined(const std::vector<ConfigFault>& faults) {
  std::string out;
  for (const ConfigFault& fault : faults) out += (out.empty() ? "" : "\n") + fault.text;
  return out;
}

/// A value's place: where it came from, how a fault in it begins, and where in the file that is.
struct Place {
  ConfigOrigin origin;
  std::string fault;
  FilePosition at{};
};

class Loader {
 public:
  explicit Loader(const Environment& environment) : environment_(environment) {}

  void read_file(const fs::path& file);
  void read_environment();
  void read_overrides(const Overrides& overrides);

  /// Fills in what depends on other values and on the machine, checks what belongs together, and ends the work.
  Config finish();

 private:
  void fault(std::string text, FilePosition at = {}) { faults_.push_back({std::move(text), at.line, at.column}); }
  void set(const Key& key, const RawValue& value, Place place, const fs::path& base);
  void refuse_variable(const std::string& name);

  bool is_set(const char* section, const char* name) const {
    return config_.origins.contains(full_name(*find_key(section, name)));
  }
  fs::path here() const { return environment_.directory.empty() ? fs::current_path() : environment_.directory; }
  std::string absolute_variable(const char* name) const;

  void fill_in_node();
  void fill_in_paths();
  void fill_in_threads();
  void fill_in_security();
  void check_key_files();

  const Environment& environment_;
  Config config_;
  std::vector<ConfigFault> faults_;
};

void Loader::set(const Key& key, const RawValue& value, Place place, const fs::path& base) {
  // Also with a fault, so that its default causes no second one.
  config_.origins[full_name(key)] = std::move(place.origin);
  if (const auto problem = assign(key, value, config_)) return fault(place.fault + ": " + *problem, place.at);
  if (const auto* member = std::get_if<fs::path& (*)(Config&)>(&key.target)) {
    fs::path& path = (*member)(config_);
    if (!path.empty()) path = (base / path).lexically_normal();
  }
}

void Loader::read_file(const fs::path& file) {
  const std::string attempt = "could not read configuration " + in_quotes(file.native()) + ": ";
  const auto at = [&](FilePosition position) {
    if (position.line == 0) return attempt;
    return attempt + "line " + std::to_string(position.line) + ", column " + std::to_string(position.column) + ": ";
  };
  const fs::path folder = fs::absolute(file).parent_path();
  FileContent content = read_config_file(file);
  constexpr std::size_t kShown = 20;  // a file that is no configuration at all has one on every line
  for (std::size_t i = 0; i < std::min(content.faults.size(), kShown); ++i) {
    fault(at(content.faults[i].at) + content.faults[i].text, content.faults[i].at);
  }
  if (content.faults.size() > kShown) fault(attempt + std::to_string(content.faults.size() - kShown) + " more faults");
  for (const FileSetting& setting : content.settings) {
    set(*setting.key, setting.value,
        {{ConfigOrigin::Kind::file, "line " + std::to_string(setting.at.line) + " of " + in_quotes(file.native()),
          setting.at.line},
         at(setting.at) + "key " + in_quotes(setting.key->name) + " in [" + std::string(setting.key->section) + "]",
         setting.at},
        folder);
  }
  config_.plugin_tables = std::move(content.plugin_tables);
  config_.log.levels = std::move(content.log_levels);
}

void Loader::read_environment() {
  std::map<std::string, const Key*> known;
  for (const Key& key : all_keys()) known.emplace(environment_variable(key), &key);
  for (const auto& [name, value] : environment_.variables) {
    if (!name.starts_with("BUSBAR_")) continue;
    if (const auto found = known.find(name); found != known.end()) {
      set(*found->second, Word{value},
          {{ConfigOrigin::Kind::environment, name}, "could not read the environment: " + name}, here());
    } else {
      refuse_variable(name);
    }
  }
}

void Loader::refuse_variable(const std::string& name) {
  constexpr std::size_t kSlip = 2;  // as BUSBAR_POOL_THREAD for BUSBAR_POOL__THREADS
  if (name.starts_with("BUSBAR_LOG__LEVELS")) {
    return fault("could not read the environment: unknown variable " + in_quotes(name) +
                 "; the table [log.levels] can be set in the file only");
  }
  if (name.starts_with("BUSBAR_PLUGIN__")) {
    return fault("could not read the environment: unknown variable " + in_quotes(name) +
                 "; the tables [plugin.NAME] can be set in the file only");
  }
  std::vector<std::string> known;
  for (const Key& key : all_keys()) known.push_back(environment_variable(key));
  const std::string& meant = nearest(name, known);
  const bool is_ours = name.find("__") != std::string::npos || edit_distance(name, meant) <= kSlip;
  if (!is_ours) return;
  fault("could not read the environment: unknown variable " + in_quotes(name) +
        "; nearest known variable: " + in_quotes(meant));
}

void Loader::read_overrides(const Overrides& overrides) {
  for (const Override& given : overrides) {
    const std::size_t dot = given.key.find('.');
    const std::string attempt = "could not read the command line: " + given.flag;
    const Key* key = dot == std::string::npos ? nullptr
                                              : find_key(std::string_view(given.key).substr(0, dot),
                                                         std::string_view(given.key).substr(dot + 1));
    if (key) {
      set(*key, Word{given.value}, {{ConfigOrigin::Kind::flag, given.flag}, attempt}, here());
    } else {
      std::vector<std::string> known;
      for (const Key& each : all_keys()) known.push_back(full_name(each));
      fault(attempt + ": unknown key " + in_quotes(given.key) +
            "; nearest known key: " + in_quotes(nearest(given.key, known)));
    }
  }
}

/// The variable's path; empty if it is not set, or relative, which the XDG rules say to ignore.
std::string Loader::absolute_variable(const char* name) const {
  const auto found = environment_.variables.find(name);
  return found != environment_.variables.end() && found->second.starts_with('/') ? found->second : std::string();
}

void Loader::fill_in_node() {
  if (is_set("node", "name")) return;
  config_.node = environment_.host_name;
  if (!is_node_name(config_.node)) {
    fault("could not name this node after its host: found the host name " + in_quotes(config_.node) +
          ", expected a node name: " + std::string(kNodeNameRule) + " (hint: set node.name or --node)");
  }
}

void Loader::fill_in_paths() {
  auto& paths = config_.paths;
  if (!is_set("paths", "run")) {
    const fs::path base = absolute_variable("XDG_RUNTIME_DIR");
    paths.run = (base.empty() ? fs::path("/run") : base) / "busbar";
  }
  if (!is_set("paths", "state")) {
    const fs::path base = absolute_variable("XDG_STATE_HOME");
    const fs::path home = absolute_variable("HOME");
    if (environment_.root) {
      paths.state = "/var/lib/busbar";
    } else if (!base.empty()) {
      paths.state = base / "busbar";
    } else if (!home.empty()) {
      paths.state = home / ".local/state/busbar";
    } else {
      fault(
          "could not choose a state directory: found neither XDG_STATE_HOME nor HOME, expected an absolute path in "
          "one of them (hint: set paths.state or --state-dir)");
    }
  }
  if (!is_set("paths", "cache")) paths.cache = paths.state / "cache";
}

void Loader::fill_in_threads() {
  auto& pool = config_.pool;
  if (!is_set("pool", "threads")) pool.threads = std::clamp(environment_.cores, 1U, pool.max_threads);
}

void Loader::fill_in_security() {
  if (!is_set("security", "key")) config_.security.key = "/etc/busbar/keys/" + config_.node + ".key";
}

/// Nobody shall think that keys are asked for where they are not.
void Loader::check_key_files() {
  if (config_.security.mode == "curve") return;
  for (const char* key : {"key", "authorized"}) {
    if (!is_set("security", key)) continue;
    fault("could not use the configuration: security." + std::string(key) + " (" + origin_of(config_, "security", key) +
          ") is of no use, as security.mode (" + origin_of(config_, "security", "mode") +
          ") is \"none\" (hint: set it to \"curve\")");
  }
}

Config Loader::finish() {
  fill_in_node();
  fill_in_paths();
  fill_in_threads();
  fill_in_security();
  check_key_files();
  for (ConfigFault& each : faults_between_keys(config_)) faults_.push_back(std::move(each));
  if (!faults_.empty()) throw ConfigError(std::move(faults_));
  return std::move(config_);
}

}  // namespace

std::string_view name_of(ConfigOrigin::Kind kind) noexcept {
  switch (kind) {
    case ConfigOrigin::Kind::file:
      return "file";
    case ConfigOrigin::Kind::environment:
      return "environment";
    case ConfigOrigin::Kind::flag:
      return "flag";
  }
  return "?";
}

ConfigError::ConfigError(std::vector<ConfigFault> faults)
    : std::runtime_error(joined(faults)), faults_(std::move(faults)) {}

Config load_config(const std::optional<fs::path>& file, const Environment& environment, const Overrides& overrides) {
  Loader loader(environment);
  if (file) loader.read_file(*file);
  loader.read_environment();
  loader.read_overrides(overrides);
  return loader.finish();
}

nlohmann::ordered_json log_levels_of(const Config& config) {
  nlohmann::ordered_json levels = nlohmann::ordered_json::object();
  for (const auto& [part, level] : config.log.levels) levels[part] = to_text(level);
  return levels;
}

nlohmann::ordered_json to_json(const Config& config) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const Key& key : all_keys()) out[std::string(key.section)][std::string(key.name)] = value_of(key, config);
  out["log"]["levels"] = log_levels_of(config);
  out["plugin"] = config.plugin_tables;
  return out;
}

}  // namespace busbar::host
