// A plugin that does what its callers say: each message's request is a script of what is done with the call.
//
// It keeps to what the boundary asks of a plugin (busbar/abi.h), as far as the host could not survive anything else: it
// releases what it holds, once; uses a call while it is its handler's or held, a reply buffer inside authorize and
// handle, a result until it is released. All else is up to the script.
#pragma once

#include <busbar/abi.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/abi/elsewhere.hpp"
#include "fuzz/abi/ledger.hpp"
#include "fuzz/choices.hpp"

namespace busbar::fuzz {

/// What the plugins of one run have in common. Threads: any.
class Stage {
 public:
  Ledger ledger;
  Elsewhere elsewhere;

  /// Ids that no other message has.
  std::string next_id() { return "t" + std::to_string(++ids_); }
  /// False: enough was dispatched, for a run must end.
  bool may_dispatch() { return dispatches_left_.fetch_sub(1) > 0; }

  /// To be done when what was begun has ended, on the thread that has begun it.
  void at_end(std::function<void()> what) {
    const std::lock_guard lock(mutex_);
    at_end_.push_back(std::move(what));
  }
  /// False: there was nothing.
  bool do_what_is_for_the_end();

  void begin_run() {
    ids_ = 0;
    dispatches_left_ = kDispatches;
  }

 private:
  static constexpr int kDispatches = 24;

  std::atomic<std::uint64_t> ids_{0};
  std::atomic<int> dispatches_left_{0};
  std::mutex mutex_;
  std::deque<std::function<void()>> at_end_;
};

/// One plugin, of some of the services. Ownership: outlives its calls.
class OddPlugin {
 public:
  struct Offer {
    std::string_view name;
    std::uint32_t flags = 0;
    std::uint32_t max_running = 0;
    std::uint32_t max_queued = 0;
    std::size_t struct_size = sizeof(busbar_service);  // of which version of the boundary
  };

  OddPlugin(Stage& stage, const std::vector<Offer>& offers, std::uint32_t max_running, std::uint32_t max_queued);
  OddPlugin(const OddPlugin&) = delete;
  OddPlugin& operator=(const OddPlugin&) = delete;

  const busbar_router& router() const noexcept { return router_; }
  /// As `create` would have got it. Before the first call.
  void is_hosted_by(const busbar_host& host) noexcept { host_ = &host; }
  const busbar_host& host() const noexcept { return *host_; }
  Stage& stage() const noexcept { return stage_; }

 private:
  Stage& stage_;
  const busbar_host* host_ = nullptr;
  std::vector<std::unique_ptr<std::uint8_t[]>> services_;
  std::vector<const busbar_service*> offered_;
  busbar_router router_{};
};

/// Follows a script, on the plugin's own thread: without a call, as `start` might do. Blocks where it says so.
void follow(OddPlugin& plugin, Choices& script);

/// The script for an `authorize`, a `choose_node` or a `handle`, of a request.
enum class Part { authorize, choose_node, handle };
Choices script_of(Bytes request, Part part) noexcept;

}  // namespace busbar::fuzz
