// The dispatcher: finds who provides a service, has the call served, and returns what came back (contract, C-D1 to
// C-D18).
#pragma once

#include <busbar/message.hpp>
#include <busbar/registry/registry.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/call.hpp"
#include "dispatch/callback.hpp"
#include "dispatch/peer.hpp"
#include "events/events.hpp"
#include "pool/pool.hpp"
#include "pool/supervisor.hpp"

namespace busbar::host {

struct DispatchOptions {
  /// The budget of the whole call in milliseconds, 1 to 86,400,000; 0: the service's own, else 5,000 (C-D5). What the
  /// message's deadline or the call around it leaves is not exceeded (C-D8).
  std::uint32_t timeout_ms = 0;
  /// Only this node may serve it; unknown or dead: badrpc(nodedown). Empty: any.
  std::string_view node = {};
};

inline constexpr std::uint32_t kMaxTimeoutMs = 86'400'000;

/// Where a service can be called: this node (`local`) or a peer, and the router there (C-D12).
struct Provider {
  std::string node;
  std::string router;
};

/// The outcome of asking whether a call would be authorized (C-D11).
struct AuthorizationAnswer {
  enum class Kind { yes, no, service_unavailable, failed } kind = Kind::failed;
  Response response;  ///< no: the refusal · failed: the badrpc
};

/// An asynchronous call that can be given up. Ownership: holds its call's slot. Threads: any, one at a time.
class PendingCall {
 public:
  PendingCall() = default;
  explicit PendingCall(Call* call) noexcept : call_(call) {}
  PendingCall(PendingCall&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  PendingCall& operator=(PendingCall&& other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~PendingCall() {
    if (call_ != nullptr) call_->release();
  }
  /// Gives the call up: its handler sees that its caller is gone. True: the callback will not be called any more.
  bool cancel() noexcept { return call_ != nullptr && call_->cancel(); }

 private:
  Call* call_ = nullptr;
};

/// Threads: every function may be called from any thread, and from inside a handler (C-D14).
/// Errors: none thrown but std::bad_alloc; whatever goes wrong is the response.
class Dispatcher : public PeerEvents, public RequestEvents {
 public:
  /// Ownership: everything given outlives the dispatcher, which outlives every call; the supervisor, which looks at
  /// this one's deadlines, has been stopped before the dispatcher goes.
  Dispatcher(std::string node, registry::Registry& registry, Pool& pool, Supervisor& supervisor, EventStream& events);
  ~Dispatcher() override;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Dispatches and waits; the message becomes what came back (C-M9). A halted one is left untouched (C-D1).
  void dispatch(Message& message, DispatchOptions options = {}) { dispatch_from(Call::current(), message, options); }

  /// The same without waiting.
  void dispatch_async(Message message, Callback callback, DispatchOptions options = {}) {
    dispatch_async_from(Call::current(), std::move(message), std::move(callback), options);
  }
  /// The same for a caller that may give up.
  [[nodiscard]] PendingCall dispatch_cancellable(Message message, Callback callback, DispatchOptions options = {});

  /// With the call that causes this one named: it sets the longest time (C-D8).
  void dispatch_from(const Call* parent, Message& message, DispatchOptions options);
  void dispatch_async_from(const Call* parent, Message message, Callback callback, DispatchOptions options);

  /// Sets dry_run from no to yes, and dispatches (C-D10).
  void validate(Message& message, DispatchOptions options = {});

  /// Whether the provider's router would let the message through, without calling the handler (C-D11).
  void authorized_async(Message message, std::function<void(AuthorizationAnswer)> callback,
                        DispatchOptions options = {});
  AuthorizationAnswer authorized(Message message, DispatchOptions options = {});

  /// Who provides the message's service; nobody: not found (C-D12).
  std::vector<Provider> discover_service(const Message& message) const;

  const std::string& node() const noexcept { return node_; }

  // stubs
  void refuse_requests() noexcept {}
  void on_envelope(Peer&, const wire::Envelope&) noexcept override {}
  void on_down(Peer&, std::string_view) noexcept override {}
  void on_request(const std::shared_ptr<Requester>&, const wire::Envelope&) noexcept override {}
  void on_gone(const Requester&) noexcept override {}
  void on_query(std::function<void(const std::shared_ptr<Requester>&, std::uint64_t attempt, wire::Bytes body)>) {}
  void query_async(std::string_view, Payload, Callback callback, std::uint32_t) {
    Message outcome("x");
    outcome.error("badrpc");
    callback(std::move(outcome));
  }

  // -- for calls

  bool wants(EventKind kind) const noexcept { return events_.wants(kind); }
  void emit(EventKind kind, const Call& call, Nanos duration = 0) const noexcept {
    if (wants(kind)) emit_about(kind, call, duration);
  }
  /// Calls a callback with blocking dispatches forbidden.
  void run_callback(const Callback& callback, Message&& outcome) const noexcept;
  /// The last step of a call that a provider ended: counts it, and makes of what the provider answered what the caller
  /// gets (C-D4, C-D15).
  static void conclude(Message& message, Endpoint& endpoint, Purpose purpose = Purpose::serve);
  /// Tells the observers that a call that began at `begun` has been answered.
  void report_end(const Endpoint& endpoint, const Message& message, Nanos begun) const noexcept;

 private:
  struct Start;

  Start start_of(const Endpoint& endpoint, const Call* parent, const Message& message, DispatchOptions options) const;
  Endpoint* find(const Message& message) const;
  void settle_unserved(Message& message) const;
  bool refuse_to_block(Message& message) const;
  void serve_inline(Endpoint& endpoint, Message& message, const Start& start);
  void serve_pooled(Endpoint& endpoint, Message& message, const Start& start);
  Call* launch(Purpose purpose, const Call* parent, Message&& message, Callback&& callback, DispatchOptions options,
               bool cancellable);
  void run_here(Call& call, const Start& start) const noexcept;
  void report_slow_run(const Call& call, Nanos took) const noexcept;
  void submit(Call& call, Nanos now) noexcept;
  void report_start(const Endpoint& endpoint, const Message& message) const noexcept;
  void emit_about(EventKind kind, const Call& call, Nanos duration) const noexcept;
  void emit(EventKind kind, const Message& message, const Endpoint* endpoint = nullptr, Nanos duration = 0,
            std::string_view reason = {}) const noexcept;

  const std::string node_;
  registry::Registry& registry_;
  Pool& pool_;
  Supervisor& supervisor_;
  EventStream& events_;
};

}  // namespace busbar::host
