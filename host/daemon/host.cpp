#include "daemon/host.hpp"

#include <algorithm>
#include <map>

#include "plugins/file/private_copy.hpp"

namespace busbar::host {

namespace {

PoolOptions pool_options(const Config::Pool& pool) {
  PoolOptions options;
  options.threads = pool.threads;
  options.max_threads = pool.max_threads;
  options.queue = pool.queue;
  return options;
}

PluginManagerOptions plugin_options(const Config& config, std::filesystem::path trial_program) {
  return {config.paths.plugins, config.paths.cache, std::move(trial_program), config.plugins, config.plugin_tables};
}

DirectoryLock take_cache(const Config& config) {
  DirectoryLock lock = DirectoryLock::acquire(config.paths.cache, "cache directory", config.node);
  prepare_cache_directory(config.paths.cache);
  empty_cache_directory(config.paths.cache);
  return lock;
}

}  // namespace

const char* version() noexcept { return BUSBAR_VERSION; }

Host::Host(Config config, std::filesystem::path trial_program)
    : config_(std::move(config)),
      logs_(config_.log),
      log_(logs_.get("host")),
      run_lock_(DirectoryLock::acquire(config_.paths.run, "run directory", config_.node)),
      cache_lock_(take_cache(config_)),
      pool_(supervisor_, pool_options(config_.pool)),
      dispatcher_(config_.node, registry_, pool_, supervisor_, events_),
      plugins_(plugin_options(config_, std::move(trial_program)), registry_, dispatcher_, events_,
               logs_.get("host.loader"), [this](const std::string& plugin) { return logs_.get("plugin." + plugin); }) {
  for (const DirectoryLock* lock : {&run_lock_, &cache_lock_}) {
    if (const auto& before = lock->taken_over_from()) {
      log_.warn("took over a directory whose host ended without giving it back",
                {{"directory", lock->path().string()}, {"node", before->node}, {"pid", before->pid}});
    }
  }
  events_.subscribe(std::make_shared<LogObserver>(logs_.get("host.loader"), logs_.get("host.dispatch")),
                    LogObserver::wanted());
  AdminOptions admin;
  admin.max_message = config_.limits.max_message;
  admin_ = std::make_unique<AdminServer>(admin_socket_path(config_.paths.run), dispatcher_, admin_hooks(),
                                         logs_.get("host.admin"), admin);
  plugins_.when_ready([this] { log_.info("ready", {{"node", config_.node}}); });
  plugins_.start();
  log_.info("started", {{"node", config_.node},
                        {"version", version()},
                        {"run_dir", config_.paths.run.string()},
                        {"plugins", config_.paths.plugins.string()}});
}

Host::~Host() { stop(); }

Stopped Host::stop() {
  if (std::exchange(stopped_, true)) return {};
  log_.info("stopping", {{"node", config_.node}});
  // One budget for the whole stop; each phase gets what the ones before it have left (shutdown.timeout).
  const Nanos deadline = now_ns() + std::chrono::nanoseconds(config_.shutdown.timeout).count();
  const auto left = [&] { return std::chrono::milliseconds(std::max<Nanos>(deadline - now_ns(), 0) / kMillisecond); };
  admin_->stop(left());
  plugins_.withdraw();
  const PoolStopped pool = pool_.stop(deadline);
  const std::size_t kept = plugins_.stop_all();
  supervisor_.stop();
  if (pool.abandoned != 0 || kept != 0) {
    log_.warn("stopped with handlers that have not ended", {{"threads", pool.abandoned}, {"plugins", kept}});
    return {false};
  }
  log_.info("stopped", {{"node", config_.node}});
  return {};
}

// ------------------------------------------------------------------------------------------- for the command line

AdminHooks Host::admin_hooks() {
  AdminHooks hooks;
  hooks.services = [this] { return services(); };
  hooks.plugins = [this] { return plugin_list(); };
  hooks.status = [this] { return status(); };
  hooks.rescan = [this](std::function<void(nlohmann::json)> done) {
    plugins_.scan([this, done = std::move(done)] { done(plugin_list()); });
  };
  hooks.ready = [this] { return plugins_.ready(); };
  hooks.when_ready = [this](std::function<void()> tell) { plugins_.when_ready(std::move(tell)); };
  hooks.dry_run_safe = [this](std::string_view service) {
    return registry_.lookup(service, [](const registry::ServiceEntry* entry) -> std::optional<bool> {
      if (entry == nullptr || entry->local == nullptr) return std::nullopt;
      return static_cast<const Endpoint&>(*entry->local).dry_run_safe();
    });
  };
  return hooks;
}

nlohmann::json Host::services() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& provider : registry_.list(registry::Listing::all)) {
    const auto& endpoint = static_cast<const Endpoint&>(*provider);
    const bool is_public = endpoint.visibility() == registry::Visibility::public_;
    list.push_back({{"name", endpoint.service()},
                    {"visibility", is_public ? "public" : "private"},
                    {"doc", endpoint.doc()},
                    {"plugin", endpoint.router()},
                    {"inline", endpoint.is_inline()},
                    {"idempotent", endpoint.idempotent()},
                    {"dry_run_safe", endpoint.dry_run_safe()},
                    {"providers", {config_.node}}});
  }
  return {{"services", std::move(list)}};
}

nlohmann::json Host::plugin_list() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& row : plugins_.rows()) list.push_back(to_json(row));
  nlohmann::json document = {{"plugins", std::move(list)}};
  if (const std::string problem = plugins_.directory_problem(); !problem.empty()) document["problem"] = problem;
  return document;
}

nlohmann::json Host::status() const {
  const auto uptime = std::chrono::steady_clock::now() - started_;
  const PoolStats pool = pool_.stats();
  const registry::TableFacts table = registry_.facts();
  nlohmann::json plugins = nlohmann::json::object();
  for (const auto& row : plugins_.rows()) {
    auto& count = plugins[std::string(name_of(row.state))];
    count = count.is_null() ? 1 : count.get<int>() + 1;
  }
  return {{"node", config_.node},
          {"version", version()},
          {"ready", plugins_.ready()},
          {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
          {"cluster",
           {{"nodes", 1},
            {"table", {{"version", table.version}, {"services", table.services}, {"age_ms", table.age.count()}}}}},
          {"pool",
           {{"threads", pool.threads},
            {"max_threads", pool.max_threads},
            {"live", pool.live},
            {"idle", pool.idle},
            {"running", pool.running},
            {"blocked", pool.blocked},
            {"queued", pool.queued}}},
          {"plugins", std::move(plugins)}};
}

}  // namespace busbar::host
