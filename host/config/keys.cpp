#include "config/keys.hpp"

#include "config/nearest.hpp"
#include "config/units.hpp"
#include "log/text.hpp"

#include <busbar/limits.hpp>
#include <busbar/names.hpp>
#include <busbar/registry/net/address.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace busbar::host {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::uint64_t kMillisecond = 1;
constexpr std::uint64_t kDay = kMaxTimeoutMs;  // none of these waits longer than a call may
constexpr std::uint64_t kMostThreads = 10'000;
constexpr std::uint64_t kMostCrashes = 100;  // as many as are remembered
constexpr std::uint64_t kLongestQueue = 10'000'000;
constexpr std::uint64_t kMostConnections = 1'000'000;
constexpr std::uint64_t kMostErrors = 1'000'000'000;

constexpr TextRule kNodeName = {is_node_name, [] { return "a node name: " + std::string(kNodeNameRule); }};
constexpr TextRule kClusterName = {is_node_name, [] { return "a cluster's name: " + std::string(kNodeNameRule); }};
constexpr TextRule kAddressToBind = {
    [](std::string_view text) { return registry::net::is_address(text, true); },
    [] { return std::string("an address to listen at: tcp://HOST:PORT, with * for any port, or ipc://PATH"); }};
constexpr TextRule kAddressOfOther = {
    [](std::string_view text) { return registry::net::is_address(text, false); },
    [] { return std::string("addresses of other nodes' registries, such as tcp://127.0.0.1:4711"); }};
constexpr TextRule kSecurityMode = {[](std::string_view text) { return text == "none" || text == "curve"; },
                                    [] { return std::string("\"none\" or \"curve\""); }};
constexpr TextRule kWatch = {
    [](std::string_view text) { return text == "auto" || text == "inotify" || text == "poll"; },
    [] { return std::string("\"auto\", \"inotify\" or \"poll\""); }};
constexpr TextRule kLogFile = {[](std::string_view text) { return text.find('\0') == std::string_view::npos; },
                               [] { return std::string("a file's path, or \"\" for standard error"); }};
constexpr TextRule kHttpAddress = {
    [](std::string_view text) {
      const std::string address = "tcp://" + std::string(text);
      const bool is_bound = registry::net::is_address(address, true) && !registry::net::has_name(address);
      return text.empty() || (is_bound && text.find('*') == std::string_view::npos);
    },
    [] {
      return std::string("an IP address and a port, such as \"127.0.0.1:9464\" (port 0: any free one), or nothing");
    }};
constexpr TextRule kServices = {is_service_name, [] { return "names of services: " + std::string(kServiceNameRule); }};
constexpr TextRule kHost = {
    [](std::string_view text) {
      const bool is_ipv6 = text.find(':') != std::string_view::npos && !text.starts_with('[');
      const std::string host = is_ipv6 ? "[" + std::string(text) + "]" : std::string(text);
      return text.empty() || registry::net::is_address("tcp://" + host + ":1", false);
    },
    [] { return std::string("a host that others can reach, a name or an IP address, without a port"); }};

constexpr auto kKeys = std::to_array<Key>({
    {"node", "name", [](Config& c) -> std::string& { return c.node; }, "what this node is called in the cluster", 0, 0,
     "the host name", &kNodeName},

    {"cluster",
     "name",
     [](Config& c) -> std::string& { return c.cluster.name; },
     "the cluster that this node belongs to; nodes of another one are refused",
     0,
     0,
     {},
     &kClusterName},
    {"cluster",
     "join",
     [](Config& c) -> Texts& { return c.cluster.join; },
     "registry addresses of nodes that know others",
     0,
     0,
     {},
     &kAddressOfOther},
    {"cluster",
     "listen",
     [](Config& c) -> std::string& { return c.cluster.listen; },
     "where other nodes and clients call this one",
     0,
     0,
     {},
     &kAddressToBind},
    {"cluster",
     "registry_listen",
     [](Config& c) -> std::string& { return c.cluster.registry_listen; },
     "where other nodes reach this one's registry",
     0,
     0,
     {},
     &kAddressToBind},
    {"cluster",
     "advertise",
     [](Config& c) -> std::string& { return c.cluster.advertise; },
     "the host that others are told in place of the one that is listened at",
     0,
     0,
     {},
     &kHost},
    {"cluster", "insecure", [](Config& c) -> bool& { return c.cluster.insecure; },
     "whether other machines may reach this node, although nothing is encrypted and nobody proves who they are"},

    {"security",
     "mode",
     [](Config& c) -> std::string& { return c.security.mode; },
     "whether connections are encrypted, and only those come in whose keys are listed",
     0,
     0,
     {},
     &kSecurityMode},
    {"security", "key", [](Config& c) -> fs::path& { return c.security.key; },
     "this node's private key, as \"busbar keygen\" has written it", 0, 0,
     "NAME.key in /etc/busbar/keys, with this node's name"},
    {"security", "authorized", [](Config& c) -> fs::path& { return c.security.authorized; },
     "the directory of the public keys of those that come in"},

    {"registry", "heartbeat", [](Config& c) -> milliseconds& { return c.registry.heartbeat; },
     "how often nodes show each other that they live", kShortestHeartbeatMs, kLongestSilenceMs},
    {"registry", "lost_after", [](Config& c) -> milliseconds& { return c.registry.lost_after; },
     "how long a node may be silent before it counts as dead", kShortestHeartbeatMs, kLongestSilenceMs},
    {"registry", "max_peers", [](Config& c) -> unsigned& { return c.registry.max_peers; },
     "other nodes that this one knows at a time", 1, kMostMaxPeers},

    {"paths", "plugins", [](Config& c) -> fs::path& { return c.paths.plugins; },
     "the directory whose libraries are loaded"},
    {"paths", "run", [](Config& c) -> fs::path& { return c.paths.run; },
     "where this host and the command line meet; used by one host at a time", 0, 0,
     "$XDG_RUNTIME_DIR/busbar, else /run/busbar"},
    {"paths", "state", [](Config& c) -> fs::path& { return c.paths.state; }, "what must survive a restart", 0, 0,
     "for root /var/lib/busbar, for others $XDG_STATE_HOME/busbar, else ~/.local/state/busbar"},
    {"paths", "cache", [](Config& c) -> fs::path& { return c.paths.cache; },
     "the private copies that libraries are loaded from; used by one host at a time", 0, 0,
     "\"cache\" in the state directory"},

    {"plugins", "trial_timeout", [](Config& c) -> milliseconds& { return c.plugins.trial_timeout; },
     "how long a child process may try a library before it counts as hanging", kMillisecond, kDay},
    {"plugins", "drain_timeout", [](Config& c) -> milliseconds& { return c.plugins.drain_timeout; },
     "how long a replaced plugin's calls may go on before it is shown as stuck", kMillisecond, kDay},
    {"plugins", "handover_timeout", [](Config& c) -> milliseconds& { return c.plugins.handover_timeout; },
     "how long a plugin that hands its state over, or must be alone, may take to end what it is running", kMillisecond,
     kDay},
    {"plugins", "max_crashes", [](Config& c) -> unsigned& { return c.plugins.max_crashes; },
     "how often a plugin may crash the host within 10 minutes before it is not loaded any more", 1, kMostCrashes},
    {"plugins", "auto_rollback", [](Config& c) -> bool& { return c.plugins.auto_rollback; },
     "whether the version before comes back when a new one fails from its first call on"},
    {"plugins", "max_retired", [](Config& c) -> unsigned& { return c.plugins.max_retired; },
     "libraries of replaced plugins that could not be unloaded and are kept; then nothing more is replaced", 1, 10'000},
    {"plugins", "allow_world_writable", [](Config& c) -> bool& { return c.plugins.allow_world_writable; },
     "whether to load from a directory into which everybody can write"},
    {"plugins",
     "watch",
     [](Config& c) -> std::string& { return c.plugins.watch; },
     "how it is noticed that the plugin directory has changed",
     0,
     0,
     {},
     &kWatch},

    {"pool", "threads", [](Config& c) -> unsigned& { return c.pool.threads; }, "threads that run handlers", 1,
     kMostThreads, "the cores that this process may use, at most max_threads"},
    {"pool", "max_threads", [](Config& c) -> unsigned& { return c.pool.max_threads; },
     "threads that exist at most, when handlers block", 1, kMostThreads},
    {"pool", "queue", [](Config& c) -> unsigned& { return c.pool.queue; }, "calls that wait at most", 1, kLongestQueue},

    {"shutdown", "timeout", [](Config& c) -> milliseconds& { return c.shutdown.timeout; },
     "how long the whole of an orderly stop may take", kMillisecond, kDay},

    {"log", "level", [](Config& c) -> LogLevel& { return c.log.level; }, "the least level that is written"},
    {"log", "format", [](Config& c) -> LogFormat& { return c.log.format; }, "lines for people, or JSON"},
    {"log",
     "file",
     [](Config& c) -> fs::path& { return c.log.file; },
     "where lines are written to; nothing: standard error",
     0,
     0,
     {},
     &kLogFile},
    {"log", "slow_call", [](Config& c) -> milliseconds& { return c.log.slow_call; },
     "a call that takes longer is told in the log; 0s: none is", 0, kDay},

    {"http",
     "listen",
     [](Config& c) -> std::string& { return c.http.listen; },
     "where metrics and health are told over HTTP; nothing: nowhere",
     0,
     0,
     {},
     &kHttpAddress},
    {"http", "insecure", [](Config& c) -> bool& { return c.http.insecure; },
     "whether other machines may read these, although nothing is encrypted and nobody is asked who they are"},

    {"readiness",
     "require",
     [](Config& c) -> Texts& { return c.readiness.require; },
     "services that must be provided here for this host to be ready",
     0,
     0,
     {},
     &kServices},

    {"limits", "max_message", [](Config& c) -> std::size_t& { return c.limits.max_message; },
     "the largest message that is accepted", kSmallestSize, kLargestMessage},
    {"limits", "peer_queue", [](Config& c) -> std::size_t& { return c.limits.peer_queue; },
     "how much may wait to be sent to one other node", kSmallestSize, kLargestPeerQueue},
    {"limits", "peer_calls", [](Config& c) -> unsigned& { return c.limits.peer_calls; },
     "calls of one other node or client that are under way here", 1, kMostPeerCalls},
    {"limits", "connections", [](Config& c) -> unsigned& { return c.limits.door.connections; },
     "connections that others have to one of the two ports", 1, kMostConnections},
    {"limits", "strangers", [](Config& c) -> unsigned& { return c.limits.door.strangers; },
     "of these, those that have not said yet who they are", 1, kMostConnections},
    {"limits", "handshakes", [](Config& c) -> unsigned& { return c.limits.door.handshakes; },
     "connections that one address may open within a second", 1, kMostConnections},
    {"limits", "protocol_errors", [](Config& c) -> unsigned& { return c.limits.door.protocol_errors; },
     "what one address or key may do wrong within a minute before it is shut out", 1, kMostErrors},
    {"limits", "shut_out", [](Config& c) -> milliseconds& { return c.limits.door.shut_out; }, "for how long",
     kMillisecond, kDay},
});

/// Choices by name, for the types that are a list of words.
template <class Enum>
constexpr auto names_of() {
  if constexpr (std::is_same_v<Enum, LogLevel>) {
    return std::span<const std::string_view>(kLogLevelNames);
  } else {
    return std::span<const std::string_view>(kLogFormatNames);
  }
}

std::string capitals(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

std::string found(const RawValue& value) {
  struct Describe {
    std::string operator()(const Word& word) const { return in_quotes(word.text); }
    std::string operator()(const std::string& text) const { return "text " + in_quotes(text); }
    std::string operator()(const Texts& texts) const {
      std::string list;
      for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + in_quotes(text);
      return "[" + list + "]";
    }
    std::string operator()(std::int64_t integer) const { return "integer " + std::to_string(integer); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(const OtherValue& other) const { return other.kind; }
  };
  return std::visit(Describe{}, value);
}

/// The text, where the value is one.
const std::string* text_of(const RawValue& value) {
  if (const auto* word = std::get_if<Word>(&value)) return &word->text;
  return std::get_if<std::string>(&value);
}

/// One overload per type of target: whether the value fits, and then what it is.
std::optional<bool> convert(const RawValue& value, const Key&, std::type_identity<bool>) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* word = std::get_if<Word>(&value); word && (word->text == "true" || word->text == "false")) {
    return word->text == "true";
  }
  return std::nullopt;
}

std::optional<std::uint64_t> in_range(std::optional<std::uint64_t> number, const Key& key) {
  return number && *number >= key.smallest && *number <= key.largest ? number : std::nullopt;
}

std::optional<unsigned> convert(const RawValue& value, const Key& key, std::type_identity<unsigned>) {
  std::optional<std::uint64_t> number;
  if (const auto* integer = std::get_if<std::int64_t>(&value); integer && *integer >= 0) {
    number = static_cast<std::uint64_t>(*integer);
  } else if (const auto* word = std::get_if<Word>(&value)) {
    number = parse_whole_number(word->text);
  }
  number = in_range(number, key);
  return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

std::optional<std::size_t> convert(const RawValue& value, const Key& key, std::type_identity<std::size_t>) {
  const std::string* text = text_of(value);
  return text ? in_range(parse_size(*text), key) : std::nullopt;
}

std::optional<milliseconds> convert(const RawValue& value, const Key& key, std::type_identity<milliseconds>) {
  const std::string* text = text_of(value);
  const auto duration = text ? parse_duration(*text) : std::nullopt;
  return duration && in_range(static_cast<std::uint64_t>(duration->count()), key) ? duration : std::nullopt;
}

std::optional<std::string> convert(const RawValue& value, const Key& key, std::type_identity<std::string>) {
  const std::string* text = text_of(value);
  return text && key.rule->fits(*text) ? std::optional(*text) : std::nullopt;
}

Texts split_at_commas(std::string_view list) {
  Texts out;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(item.size() + 1, list.size()));
    const std::size_t first = item.find_first_not_of(' ');
    if (first == std::string_view::npos) continue;
    out.emplace_back(item.substr(first, item.find_last_not_of(' ') + 1 - first));
  }
  return out;
}

std::optional<Texts> convert(const RawValue& value, const Key& key, std::type_identity<Texts>) {
  std::optional<Texts> texts;
  if (const auto* array = std::get_if<Texts>(&value)) texts = *array;
  if (const auto* word = std::get_if<Word>(&value)) texts = split_at_commas(word->text);
  const bool fits = texts && std::all_of(texts->begin(), texts->end(), key.rule->fits);
  return fits ? texts : std::nullopt;
}

std::optional<fs::path> convert(const RawValue& value, const Key& key, std::type_identity<fs::path>) {
  const std::string* text = text_of(value);
  const bool usable =
      text && (key.rule != nullptr ? key.rule->fits(*text) : !text->empty() && text->find('\0') == std::string::npos);
  return usable ? std::optional(fs::path(*text)) : std::nullopt;
}

template <class Enum>
requires std::is_enum_v<Enum> std::optional<Enum> convert(const RawValue& value, const Key&, std::type_identity<Enum>) {
  const std::string* text = text_of(value);
  const auto names = names_of<Enum>();
  const auto name = text ? std::find(names.begin(), names.end(), *text) : names.end();
  return name != names.end() ? std::optional(static_cast<Enum>(name - names.begin())) : std::nullopt;
}

template <class T>
std::string expected(const Key& key) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_same_v<T, unsigned>) {
    return "a whole number from " + std::to_string(key.smallest) + " to " + std::to_string(key.largest);
  } else if constexpr (std::is_same_v<T, std::size_t>) {
    return "a size from " + format_size(key.smallest) + " to " + format_size(key.largest) +
           " as text with a unit (B, KiB, MiB, GiB), such as \"16MiB\"";
  } else if constexpr (std::is_same_v<T, milliseconds>) {
    return "a duration from " + format_duration(milliseconds(key.smallest)) + " to " +
           format_duration(milliseconds(key.largest)) + " as text with a unit (ms, s, m, h), such as \"30s\"";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return key.rule->expected();
  } else if constexpr (std::is_same_v<T, Texts>) {
    return "an array of texts: " + key.rule->expected();
  } else if constexpr (std::is_same_v<T, fs::path>) {
    return key.rule != nullptr ? key.rule->expected() : "a path";
  } else {
    std::string text = "one of ";
    for (std::string_view separator = ""; std::string_view name : names_of<T>()) {
      text.append(separator).append(in_quotes(name));
      separator = ", ";
    }
    return text;
  }
}

/// For a misspelt word of a list.
template <class T>
std::string suggestion(const RawValue& value) {
  if constexpr (std::is_enum_v<T>) {
    if (const std::string* text = text_of(value)) {
      const auto names = names_of<T>();
      return "; nearest: " + in_quotes(nearest(*text, {names.begin(), names.end()}));
    }
  }
  return {};
}

nlohmann::ordered_json shown(const fs::path& path) {
  std::string text;  // a path may be any bytes, JSON may not
  append_printable(text, path.native());
  return text;
}
nlohmann::ordered_json shown(const std::string& text) { return text; }
nlohmann::ordered_json shown(const Texts& texts) { return texts; }
nlohmann::ordered_json shown(bool flag) { return flag; }
nlohmann::ordered_json shown(unsigned number) { return number; }
nlohmann::ordered_json shown(std::size_t bytes) { return format_size(bytes); }
nlohmann::ordered_json shown(milliseconds duration) { return format_duration(duration); }
nlohmann::ordered_json shown(LogLevel level) { return to_text(level); }
nlohmann::ordered_json shown(LogFormat format) { return to_text(format); }

}  // namespace

std::span<const Key> all_keys() { return kKeys; }

const Key* find_key(std::string_view section, std::string_view name) {
  const auto found = std::find_if(kKeys.begin(), kKeys.end(),
                                  [&](const Key& key) { return key.section == section && key.name == name; });
  return found != kKeys.end() ? &*found : nullptr;
}

bool is_section(std::string_view name) {
  return std::any_of(kKeys.begin(), kKeys.end(), [&](const Key& key) { return key.section == name; });
}

std::string full_name(const Key& key) { return std::string(key.section) + "." + std::string(key.name); }

std::string environment_variable(const Key& key) {
  return "BUSBAR_" + capitals(key.section) + "__" + capitals(key.name);
}

std::string expected_of(const Key& key) {
  return std::visit([&]<class T>(T& (*)(Config&)) { return expected<T>(key); }, key.target);
}

std::optional<std::string> assign(const Key& key, const RawValue& value, Config& config) {
  return std::visit(
      [&]<class T>(T& (*member)(Config&)) -> std::optional<std::string> {
        auto converted = convert(value, key, std::type_identity<T>{});
        if (!converted) return "found " + found(value) + ", expected " + expected<T>(key) + suggestion<T>(value);
        member(config) = std::move(*converted);
        return std::nullopt;
      },
      key.target);
}

nlohmann::ordered_json value_of(const Key& key, const Config& config) {
  Config copy = config;  // a target gives out a writable member
  return std::visit([&](auto member) { return shown(member(copy)); }, key.target);
}

}  // namespace busbar::host
