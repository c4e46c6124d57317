#include "daemon/host.hpp"

#include <busbar/registry/net/address.hpp>
#include <busbar/registry/net/capacity.hpp>

#include <algorithm>
#include <map>

#include "admin/log_levels.hpp"
#include "admin/node_documents.hpp"
#include "admin/stats_document.hpp"
#include "daemon/http_pages.hpp"
#include "daemon/liveness.hpp"
#include "daemon/reload_log.hpp"
#include "events/log_observer.hpp"
#include "node/nodes_document.hpp"
#include "plugins/file/private_copy.hpp"

namespace busbar::host {

namespace {

// How long the last lines of the log may take to be written; whoever does not read them does not hold up the end.
constexpr std::chrono::milliseconds kLastLines{1'000};

PoolOptions pool_options(const Config::Pool& pool) {
  PoolOptions options;
  options.threads = pool.threads;
  options.max_threads = pool.max_threads;
  options.queue = pool.queue;
  return options;
}

// Where the system allows fewer descriptors than all may take, strangers get fewer: nodes and clients come first.
registry::net::DoorLimits door_within(registry::net::DoorLimits door, const DescriptorLimit& descriptors) {
  if (descriptors.is_enough()) return door;
  door.strangers = std::min(door.strangers, registry::net::strangers_within(descriptors.allowed));
  return door;
}

NodeOptions node_options(const Config& config, const DescriptorLimit& descriptors, Logger log) {
  NodeOptions options;
  options.name = config.node;
  options.cluster = config.cluster.name;
  options.join = config.cluster.join;
  options.listen = config.cluster.listen;
  options.registry_listen = config.cluster.registry_listen;
  options.advertise = config.cluster.advertise;
  options.insecure = config.cluster.insecure;
  if (config.security.mode == "curve") options.security = {config.security.key, config.security.authorized};
  options.state_dir = config.paths.state;
  options.heartbeat = config.registry.heartbeat;
  options.lost_after = config.registry.lost_after;
  options.max_peers = config.registry.max_peers;
  options.max_message = config.limits.max_message;
  options.peer_queue = config.limits.peer_queue;
  options.peer_calls = config.limits.peer_calls;
  options.door = door_within(config.limits.door, descriptors);
  options.pool = pool_options(config.pool);
  options.log = std::move(log);
  return options;
}

nlohmann::json watch_status(const PluginManager::Watching& watching) {
  nlohmann::json status = {{"mode", watching.polls ? "poll" : "inotify"}};
  if (!watching.why.empty()) status["reason"] = watching.why;
  return status;
}

PluginManagerOptions plugin_options(const Config& config, std::filesystem::path trial_program, CrashMarker& marker,
                                    std::function<void()> changed) {
  return {config.paths.plugins,
          config.paths.cache,
          std::move(trial_program),
          {config.plugins, config.plugin_tables},
          config.paths.state,
          marker.last_end() ? marker.last_end()->crash : std::nullopt,
          [&marker](const Entering& plugin) { marker.enters(plugin); },
          std::move(changed)};
}

nlohmann::json to_json(const CallRow& call) {
  return {{"service", call.service},
          {"node", call.node},
          {"state", name_of(call.state)},
          {"age_ms", call.age / kMillisecond},
          {"left_ms", call.left / kMillisecond},
          {"caller", call.caller},
          {"caller_gone", call.caller_gone},
          {"message_id", call.message_id},
          {"correlation_id", call.correlation_id}};
}

nlohmann::json calls_document(const std::vector<CallRow>& calls) {
  nlohmann::json rows = nlohmann::json::array();
  for (const CallRow& call : calls) rows.push_back(to_json(call));
  return {{"calls", std::move(rows)}};
}

nlohmann::json plugins_document(const std::vector<PluginRow>& plugins) {
  nlohmann::json rows = nlohmann::json::array();
  for (const PluginRow& row : plugins) rows.push_back(to_json(row));
  return {{"plugins", std::move(rows)}};
}

Order::Kind order_of(std::string_view verb) {
  if (verb == wire::admin_verb::kLoad) return Order::Kind::load;
  if (verb == wire::admin_verb::kUnload) return Order::Kind::unload;
  return verb == wire::admin_verb::kRollback ? Order::Kind::rollback : Order::Kind::reload;
}

DirectoryLock take_cache(const Config& config) {
  DirectoryLock lock = DirectoryLock::acquire(config.paths.cache, "cache directory", config.node);
  prepare_cache_directory(config.paths.cache);
  empty_cache_directory(config.paths.cache);
  return lock;
}

}  // namespace

const char* version() noexcept { return BUSBAR_VERSION; }

Host::Host(Config config, Logs logs, std::filesystem::path trial_program, std::function<void(std::string_view)> refused,
           std::optional<ConfigSource> source)
    : config_(std::move(config)),
      live_(config_, std::move(source)),
      logs_(std::move(logs)),
      log_(logs_.get("host")),
      descriptors_(raise_descriptor_limit(config_.registry.max_peers, config_.limits.door.strangers)),
      run_lock_(DirectoryLock::acquire(config_.paths.run, "run directory", config_.node)),
      cache_lock_(take_cache(config_)),
      marker_(config_.paths.state),
      node_(node_options(config_, descriptors_, logs_.get("host.cluster")), Node::NotStarted{}),
      readiness_(config_.readiness.require, node_, plugins_),
      readiness_log_(readiness_, config_.node, log_),
      plugins_(plugin_options(config_, std::move(trial_program), marker_, [this] { readiness_log_.look(); }),
               node_.registry(), node_.dispatcher(), node_.events(), logs_.get("host.loader"),
               [this](const std::string& plugin) { return logs_.get("plugin." + plugin); }),
      queries_(node_.dispatcher(), admin_hooks()) {
  for (const DirectoryLock* lock : {&run_lock_, &cache_lock_}) {
    if (const auto& before = lock->taken_over_from()) {
      log_.warn("took over a directory whose host ended without giving it back",
                {{"directory", lock->path().string()}, {"node", before->node}, {"pid", before->pid}});
    }
  }
  tell_of_last_end();
  node_.dispatcher().log_calls(logs_.get("host.dispatch"), std::chrono::nanoseconds(config_.log.slow_call).count());
  node_.dispatcher().log_late_answers(logs_.get("host.dispatch"));
  node_.events().subscribe(history_);
  node_.events().subscribe(
      std::make_shared<LogObserver>(logs_.get("host.loader"), logs_.get("host.dispatch"), logs_.get("host.cluster")),
      LogObserver::wanted());
  listen_for_http();
  AdminOptions admin;
  admin.max_message = config_.limits.max_message;
  admin_ = std::make_unique<AdminServer>(admin_socket_path(config_.paths.run), node_.dispatcher(), admin_hooks(),
                                         logs_.get("host.admin"), admin);
  if (http_ != nullptr) http_->start();
  log_.info("started", {{"node", config_.node},
                        {"version", version()},
                        {"run_dir", config_.paths.run.string()},
                        {"plugins", config_.paths.plugins.string()},
                        {"cluster", config_.cluster.name},
                        {"address", node_.address()},
                        {"bound_address", node_.bound_address()},
                        {"registry_address", node_.registry_address()},
                        {"bound_registry_address", node_.bound_registry_address()},
                        {"http_address", http_ != nullptr ? http_->address() : ""}});
  if (!descriptors_.is_enough()) {
    log_.warn(
        "fewer descriptors are allowed than registry.max_peers and limits.strangers may take; raise the hard limit, or "
        "lower the keys",
        {{"max_peers", config_.registry.max_peers},
         {"strangers", door_within(config_.limits.door, descriptors_).strangers},
         {"needed", descriptors_.needed},
         {"allowed", descriptors_.allowed},
         {"how", "ulimit -n, or LimitNOFILE= of the systemd unit"}});
  }
  node_.dispatcher().hold_clients();
  when_ready([this] { begin(); });
  plugins_.start();
  node_.start({std::move(refused), [this](const auto& from, std::uint64_t attempt, wire::Bytes body) {
                 queries_.serve(from, attempt, body);
               }});
}

// The start is over, whatever services are still missing (readiness.require): who calls is not kept waiting for those.
void Host::begin() {
  readiness_log_.begin();
  node_.dispatcher().let_clients_in();
}

Host::~Host() { stop(); }

// A crash inside a plugin is told by who remembers them (PluginManager).
void Host::tell_of_last_end() const {
  if (!marker_.problem().empty()) {
    log_.warn("should this host crash, nobody will know in which plugin", {{"reason", marker_.problem()}});
  }
  const auto& end = marker_.last_end();
  if (!end || end->crash) return;
  if (!end->what.empty()) {
    log_.error("the host crashed when it ran last, in none of its plugins", {{"what", end->what}});
  } else if (!end->inside.empty()) {
    std::string inside;
    for (const std::string& plugin : end->inside) inside += (inside.empty() ? "" : ", ") + plugin;
    log_.warn("the host was killed when it ran last, with calls under way", {{"plugins", inside}});
  }
}

// Before the command line's thread is there, which tells the address; it is served from before the first scan until the
// end of `stop`: who asks whether it is ready is told why it is not.
void Host::listen_for_http() {
  if (config_.http.listen.empty()) return;
  const auto counts = std::make_shared<EventCounts>();
  node_.events().subscribe(counts, EventCounts::wanted());
  const auto liveness = std::make_shared<Liveness>(threads());
  const HttpSubjects subjects{.version = version(),
                              .node = node_,
                              .plugins = plugins_,
                              .readiness = readiness_,
                              .hanging =
                                  [liveness] {
                                    std::vector<std::string> words;
                                    for (const auto& hanging : liveness->hanging()) words.push_back(in_words(hanging));
                                    return words;
                                  },
                              .counts = counts,
                              .pool_queue = config_.pool.queue,
                              .max_retired = [this] { return config()->plugins.max_retired; },
                              .log_lines_dropped = [this] { return logs_.lines_dropped(); }};
  http_ = std::make_unique<HttpServer>(HttpOptions{.listen = config_.http.listen}, http_pages(subjects),
                                       logs_.get("host.http"));
  if (!registry::net::is_local_address("tcp://" + config_.http.listen)) {
    log_.warn("insecure: whoever reaches this address may read metrics and health", {{"address", http_->address()}});
  }
}

// One order for all nodes (decision 0016), with the command line and the plugins in between: who calls from here is
// answered first, and plugins stop when no handler runs any more. Until then their services are there, for what a
// handler asks of others here is a part of its call.
Stopped Host::stop() {
  if (std::exchange(stopped_, true)) return {};
  readiness_.stop();
  log_.info("stopping", {{"node", config_.node}});
  // One budget for the whole stop; each phase gets what the ones before it have left (shutdown.timeout).
  const Nanos deadline = now_ns() + std::chrono::nanoseconds(config()->shutdown.timeout).count();
  const auto left = [&] { return std::chrono::milliseconds(std::max<Nanos>(deadline - now_ns(), 0) / kMillisecond); };
  admin_->wind_down(left());
  node_.withdraw(deadline);
  admin_->stop(left());
  plugins_.stop_loading();
  const PoolStopped pool = node_.drain(deadline);
  const std::size_t kept = plugins_.stop_all(deadline);
  node_.stop(deadline);
  if (http_ != nullptr) http_->stop();
  if (pool.abandoned != 0 || kept != 0) {
    log_.warn("stopped with handlers that have not ended", {{"threads", pool.abandoned}, {"plugins", kept}});
    logs_.flush(kLastLines);
    return {false};
  }
  log_.info("stopped", {{"node", config_.node}});
  marker_.ended_in_order();
  // Here, not when the host is destroyed: a process that ends now does not do that.
  cache_lock_.release();
  run_lock_.release();
  logs_.flush(kLastLines);
  return {};
}

void Host::when_ready(std::function<void()> tell) {
  plugins_.when_ready([this, tell = std::move(tell)]() mutable { node_.when_joined(std::move(tell)); });
}

ConfigReload Host::reload() {
  ConfigReload outcome = live_.reload({logs_, node_, plugins_});
  log_reload(outcome, log_);
  return outcome;
}

// Without the command line's thread when the host stops: it ends first, and calls may go on for long after it.
Liveness::Threads Host::threads() {
  return {[this] {
            auto turns = node_.turns();
            if (!readiness_.is_stopping()) turns.push_back({"busbar-admin", admin_->turns()});
            return turns;
          },
          [this] {
            node_.have_threads_turn();
            if (!readiness_.is_stopping()) admin_->have_turn();
          }};
}

std::vector<std::string_view> Host::stuck_threads() {
  std::vector<std::string_view> stuck;
  for (const Liveness::Hanging& hanging : watched_.hanging()) stuck.push_back(hanging.thread);
  return stuck;
}

std::string Host::summary() const {
  std::size_t serving = 0, failed = 0, services = 0;
  for (const PluginRow& row : plugins_.rows()) {
    if (row.state == PluginState::failed) ++failed;
    if (row.state != PluginState::serving) continue;
    ++serving;
    services += row.services.size();
  }
  std::string text = readiness_.has_begun() ? "serving " : "starting: ";
  text += std::to_string(services) + " services of " + std::to_string(serving) + " plugins";
  if (failed != 0) text += ", " + std::to_string(failed) + " failed";
  return text + ", " + std::to_string(node_.nodes().size() - 1) + " other nodes";
}

// ------------------------------------------------------------------------------------------- for the command line

AdminHooks Host::admin_hooks() {
  AdminHooks hooks;
  hooks.services = [this](CallerIs caller) { return services_document(node_, caller); };
  hooks.nodes = [this] { return nodes_document(node_); };
  hooks.plugins = [this] { return plugin_list(); };
  hooks.status = [this] { return status(); };
  hooks.events = [this](const EventHistory::Cursor* after) { return history_->read(after); };
  hooks.rescan = [this](std::function<void(nlohmann::json)> done) {
    plugins_.scan([this, done = std::move(done)] { done(plugin_list()); });
  };
  hooks.config = [this] { return live_.document(); };
  hooks.reload_config = [this] { return to_json(reload(), live_.file()); };
  hooks.calls = [this] { return calls_document(calls()); };
  hooks.stats = [this] { return stats(); };
  hooks.order = [this](std::string_view verb, const std::string& plugin,
                       std::function<void(const std::string&, nlohmann::json)> done) {
    order({order_of(verb), plugin, [done = std::move(done)](const std::string& problem, const auto& rows) {
             done(problem, plugins_document(rows));
           }});
  };
  hooks.log_levels = [this] { return log_levels_document(logs_.levels()); };
  hooks.set_log_level = [this](const std::string& part, const std::string& level) {
    return set_log_level(logs_.levels(), part, level);
  };
  hooks.ready = [this] { return readiness_.has_begun(); };
  hooks.when_ready = [this](std::function<void()> tell) { when_ready(std::move(tell)); };
  hooks.describe = [this](std::string_view service, CallerIs caller) { return describe_local(node_, service, caller); };
  return hooks;
}

nlohmann::json Host::plugin_list() const {
  nlohmann::json document = plugins_document(plugins_.rows());
  if (const std::string problem = plugins_.directory_problem(); !problem.empty()) document["problem"] = problem;
  return document;
}

nlohmann::json Host::stats() {
  nlohmann::json document = stats_document(node_, started_);
  document["plugins"] = plugin_list()["plugins"];
  return document;
}

nlohmann::json Host::status() const {
  const auto uptime = std::chrono::steady_clock::now() - started_;
  const PoolStats pool = node_.pool_stats();
  nlohmann::json plugins = nlohmann::json::object();
  for (const auto& row : plugins_.rows()) {
    auto& count = plugins[std::string(name_of(row.state))];
    count = count.is_null() ? 1 : count.get<int>() + 1;
  }
  const std::vector<std::string> reasons = readiness_.reasons();
  return {{"node", config_.node},
          {"version", version()},
          {"ready", reasons.empty()},
          {"not_ready", reasons},
          {"begun", readiness_.has_begun()},
          {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
          {"cluster", cluster_status(node_)},
          {"pool",
           {{"threads", pool.threads},
            {"max_threads", pool.max_threads},
            {"live", pool.live},
            {"idle", pool.idle},
            {"running", pool.running},
            {"blocked", pool.blocked},
            {"queued", pool.queued}}},
          {"plugins", std::move(plugins)},
          {"log", {{"dropped", logs_.lines_dropped()}}},
          {"watch", watch_status(plugins_.watching())},
          {"http", {{"address", http_ != nullptr ? http_->address() : ""}}}};
}

}  // namespace busbar::host
