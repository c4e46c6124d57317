// A live plugin as dispatch sees it: its router, its services, and how many calls are inside.
#pragma once

#include <busbar/abi.h>
#include <busbar/registry/service_table.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "dispatch/gate.hpp"
#include "dispatch/inline_watch.hpp"
#include "log/log.hpp"
#include "stats/call_stats.hpp"

namespace busbar::host {

class Dispatcher;
class Instance;

/// One service of a live plugin: what a lookup finds.
/// Ownership: its instance's; a call that entered the instance may use it.
class Endpoint final : public registry::LocalProvider {
 public:
  Endpoint(Instance& instance, const busbar_service& service, std::string router);

  Instance& instance() const noexcept { return instance_; }
  /// The plugin's own struct, which is handed back to it.
  const busbar_service& c_service() const noexcept { return *c_service_; }
  /// The same as of this host's minor version: what an older plugin's does not have is zero. Texts are the plugin's.
  const busbar_service& whole_service() const noexcept { return whole_service_; }
  const std::string& doc() const noexcept { return doc_; }
  /// JSON texts; empty where the plugin does not say.
  const std::string& request_schema() const noexcept { return request_schema_; }
  const std::string& response_schema() const noexcept { return response_schema_; }
  const std::string& example() const noexcept { return example_; }
  const std::string& example_assigns() const noexcept { return example_assigns_; }
  bool idempotent() const noexcept { return declared().idempotent; }
  bool dry_run_safe() const noexcept { return declared().dry_run_safe; }
  /// The timeout for callers that name none, in milliseconds.
  std::uint32_t default_timeout_ms() const noexcept { return default_timeout_ms_; }

  /// Whether it runs on the caller's thread; no longer so once it has broken its promise three times (C-D17).
  bool is_inline() const noexcept { return inline_.load(std::memory_order_relaxed); }
  /// Counts a run that broke the promise, and moves the service to the pool at the third.
  void count_slow_run() noexcept {
    if (!inline_record_.count()) return;
    too_slow_.store(true, std::memory_order_relaxed);
    inline_.store(false, std::memory_order_relaxed);
  }
  InlineRecord& inline_record() noexcept { return inline_record_; }
  /// Where its calls are counted; null: they are not (Dispatcher::count_calls).
  CallStats* stats() const noexcept { return stats_.get(); }

  /// Of its own limit. Its calls pass it, and then that of the instance.
  Gate& gate() noexcept { return gate_; }
  /// Whether its calls have to pass a gate: there is a limit of its own or of its plugin, or they are held.
  bool is_limited() const noexcept { return is_limited_.load(std::memory_order_relaxed); }

  /// Has every call wait at its gates, also where it would run on its caller's thread; and the end of that. By Hold.
  void hold(std::size_t max_waiting) noexcept;
  void let_go(CallList& let_in) noexcept;

 private:
  bool has_limit() const noexcept;

  Instance& instance_;
  const busbar_service* const c_service_;
  const busbar_service whole_service_;
  const std::string doc_;
  const std::string request_schema_;
  const std::string response_schema_;
  const std::string example_;
  const std::string example_assigns_;
  const std::uint32_t default_timeout_ms_;
  Gate gate_;
  std::atomic<bool> is_limited_;
  std::atomic<bool> inline_;
  std::atomic<bool> too_slow_{false};
  InlineRecord inline_record_;
  const std::shared_ptr<CallStats> stats_;
};

struct InstanceFacts {
  std::string plugin;
  std::string version;
  std::uint64_t generation = 0;
  /// Its number where threads say what they are inside of (Whereabouts); never 0.
  std::uint32_t number() const noexcept { return static_cast<std::uint32_t>(generation) | (generation == 0); }
};

/// A created router with its services. Ownership: shared by the manager of plugins and by the registry's tables; the
/// router itself belongs to the manager, which destroys it when `quiet()` holds after the withdrawal.
class Instance {
 public:
  /// `router` is a complete copy of the plugin's struct; what it points to is valid until the manager destroys it.
  Instance(InstanceFacts facts, Dispatcher& dispatcher, Logger log);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// The host as this plugin sees it: the argument of its `create`.
  const busbar_host& c_host() const noexcept { return c_host_; }
  static Instance& of(void* context) noexcept { return *static_cast<Instance*>(context); }

  /// Takes the router that `create` returned, and makes its endpoints. Once, before anything is registered.
  void adopt(const busbar_router& router);

  const InstanceFacts& facts() const noexcept { return facts_; }
  const busbar_router& router() const noexcept { return router_; }
  std::deque<Endpoint>& endpoints() noexcept { return endpoints_; }
  Dispatcher& dispatcher() const noexcept { return dispatcher_; }
  const Logger& log() const noexcept { return log_; }
  /// Of the limit of all its services together.
  Gate& gate() noexcept { return gate_; }
  bool has_limit() const noexcept { return router_.max_running != 0; }

  /// A call goes in. In a read section of the registry, so that nobody enters after the withdrawal has returned.
  void enter() noexcept { entered_.fetch_add(1, std::memory_order_relaxed); }
  void leave() noexcept { left_.fetch_add(1, std::memory_order_release); }
  /// The plugin waits for a callback: its code will run again. From inside a call, or before the withdrawal.
  void expect_callback() noexcept { callbacks_.fetch_add(1, std::memory_order_relaxed); }
  void callback_ended() noexcept { callbacks_.fetch_sub(1, std::memory_order_release); }
  void count_error() noexcept { errors_.fetch_add(1, std::memory_order_relaxed); }
  /// Of its first calls, how each has ended: whether in a fault of the plugin's own.
  void note_first(bool faulty) noexcept {
    if (first_calls_.load(std::memory_order_relaxed) >= kFirstCalls) [[likely]]
      return;
    first_calls_.fetch_add(1, std::memory_order_relaxed);  // first: no fault is counted for a call that is not
    if (faulty) first_faults_.fetch_add(1, std::memory_order_release);
  }

  /// Calls that are inside: queued, running, or to be answered later.
  std::uint64_t calls_inside() const noexcept {
    const std::uint64_t left = left_.load(std::memory_order_acquire);  // first: a leave is counted after its enter
    return entered_.load(std::memory_order_acquire) - left;
  }
  /// Nobody is inside, and nobody will come back; final once the services are withdrawn.
  /// Read in this order: a call expects its callback before it leaves.
  bool quiet() const noexcept { return calls_inside() == 0 && callbacks_.load(std::memory_order_acquire) == 0; }
  std::uint64_t calls_served() const noexcept { return left_.load(std::memory_order_relaxed); }
  std::uint64_t errors() const noexcept { return errors_.load(std::memory_order_relaxed); }
  /// Whether its first calls all have ended, and each in a fault of its own.
  bool began_with_faults() const noexcept {
    const unsigned faults = first_faults_.load(std::memory_order_acquire);
    return faults >= kFirstCalls && faults >= first_calls_.load(std::memory_order_relaxed);
  }
  static constexpr unsigned kFirstCalls = 5;
  std::uint64_t callbacks_expected() const noexcept { return callbacks_.load(std::memory_order_acquire); }

 private:
  const InstanceFacts facts_;
  Dispatcher& dispatcher_;
  const Logger log_;
  busbar_host c_host_;
  busbar_router router_{};
  Gate gate_;
  std::deque<Endpoint> endpoints_;  // a deque: endpoints do not move

  std::atomic<std::uint64_t> entered_{0};
  std::atomic<std::uint64_t> left_{0};
  std::atomic<std::uint64_t> callbacks_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<unsigned> first_calls_{0};
  std::atomic<unsigned> first_faults_{0};
};

/// Somebody who has entered an instance and becomes a call; where that fails, it leaves again.
class Entered {
 public:
  explicit Entered(Endpoint& endpoint) noexcept : instance_(&endpoint.instance()) {}
  ~Entered() {
    if (instance_ != nullptr) instance_->leave();
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  /// A call has begun, which leaves at its own end.
  void taken_over() noexcept { instance_ = nullptr; }

 private:
  Instance* instance_;
};

}  // namespace busbar::host
