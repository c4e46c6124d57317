// All that a dispatcher needs, with routers that were made in this process: a host without plugin files.
#pragma once

#include <busbar/plugin.hpp>
#include <busbar/registry/registry.hpp>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "dispatch/instance.hpp"
#include "events/events.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"
#include "support/eventually.hpp"
#include "support/scripted_router.hpp"

namespace busbar::testing {

/// The two forms of a dispatch, which must mean the same (C-D16).
enum class Form { blocking, async };

class Hub {
 public:
  static host::PoolOptions small_pool() { return {2, 16, 100, 10 * host::kMillisecond, 5 * host::kSecond, {}}; }

  /// `log`: what its plugins write to.
  explicit Hub(host::PoolOptions pool = small_pool(), std::string node = "node-1", host::Logger log = {})
      : log_(std::move(log)),
        pool_(supervisor_, std::move(pool)),
        dispatcher_(std::move(node), registry_, pool_, supervisor_, events_) {}

  ~Hub() {
    for (auto& plugin : plugins_) registry_.withdraw_router(plugin.name);
    pool_.stop(host::now_ns() + 60 * host::kSecond);
    supervisor_.stop();
    for (auto& plugin : plugins_) {
      if (plugin.owned != nullptr) plugin.owned->destroy(plugin.owned->self);
    }
  }
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  /// Makes a router of the class and registers its services.
  template <class Plugin>
  host::Instance& add(const std::string& name) {
    auto instance = make_instance(name);
    busbar_error error{};
    const busbar_router* router = RouterBinding::create<Plugin>(&instance->c_host(), &error);
    if (router == nullptr) throw std::runtime_error("router " + name + ": " + std::string(error.text, error.size));
    return publish(name, std::move(instance), *router, router);
  }
  host::Instance& add(const std::string& name, Script script) {
    ScriptedRouter::next = &script;
    return script.choose ? add<ChoosingRouter>(name) : add<ScriptedRouter>(name);
  }
  /// Ownership: the router stays the test's, and outlives its calls.
  host::Instance& add(const std::string& name, CRouter& router) { return add(name, router.c_router()); }
  host::Instance& add(const std::string& name, const busbar_router& router) {
    return publish(name, make_instance(name), router, nullptr);
  }

  /// The last router of that name, shared with the registry.
  std::shared_ptr<host::Instance> instance(const std::string& name) const {
    const auto found =
        std::find_if(plugins_.rbegin(), plugins_.rend(), [&](const auto& one) { return one.name == name; });
    return found == plugins_.rend() ? nullptr : found->instance;
  }

  /// Dispatches and waits, whatever the form.
  Message call(Message message, host::DispatchOptions options = {}, Form form = Form::blocking) {
    if (form == Form::blocking) {
      dispatcher_.dispatch(message, options);
      return message;
    }
    const auto outcome = std::make_shared<std::promise<Message>>();  // shared: it is set while we already go on
    dispatcher_.dispatch_async(
        std::move(message), [outcome](Message&& m) { outcome->set_value(std::move(m)); }, options);
    return outcome->get_future().get();
  }
  template <class Request>
  Message call(std::string_view service, const Request& request) {
    return call(Message::of(service, request));
  }
  Message call(std::string_view service) { return call(Message(service)); }

  const std::string& node() const { return dispatcher_.node(); }
  host::Dispatcher& dispatcher() { return dispatcher_; }
  registry::Registry& registry() { return registry_; }
  host::EventStream& events() { return events_; }
  host::Pool& pool() { return pool_; }

  /// Waits until no handler runs on the pool: what handlers refer to may go then.
  bool idle() {
    return eventually([this] {
      const host::PoolStats stats = pool_.stats();
      return stats.running == 0 && stats.queued == 0 && stats.idle == stats.live;
    });
  }

  /// Whether no call is inside any router: everything that was started has ended, handles included.
  bool is_quiet() const {
    for (auto& plugin : plugins_) {
      if (!plugin.instance->quiet()) return false;
    }
    return true;
  }
  /// Waits for that.
  bool quiet() {
    return eventually([this] { return is_quiet(); });
  }

 private:
  struct Plugin {
    std::string name;
    std::shared_ptr<host::Instance> instance;
    const busbar_router* owned;  // null: the test's own
  };

  std::shared_ptr<host::Instance> make_instance(const std::string& name) {
    return std::make_shared<host::Instance>(host::InstanceFacts{name, "1.0", 1}, dispatcher_, log_);
  }
  host::Instance& publish(const std::string& name, std::shared_ptr<host::Instance> instance,
                          const busbar_router& router, const busbar_router* owned) {
    instance->adopt(router);
    std::vector<std::shared_ptr<registry::LocalProvider>> services;
    for (auto& endpoint : instance->endpoints()) services.emplace_back(instance, &endpoint);
    const auto conflict = registry_.register_router(name, std::move(services));
    plugins_.push_back({name, std::move(instance), owned});
    if (conflict) throw std::runtime_error("service " + conflict->service + " is held by " + conflict->held_by);
    return *plugins_.back().instance;
  }

  const host::Logger log_;
  registry::Registry registry_;
  host::EventStream events_;
  host::Supervisor supervisor_;
  host::Pool pool_;
  host::Dispatcher dispatcher_;
  std::vector<Plugin> plugins_;
};

}  // namespace busbar::testing
