// The class that a plugin's author derives from: declares services, authorizes calls, and starts and stops.
#pragma once

#include <busbar/context.hpp>
#include <busbar/detail/handler.hpp>
#include <busbar/detail/signature.hpp>
#include <busbar/limits.hpp>
#include <busbar/message.hpp>
#include <busbar/names.hpp>

#include <chrono>
#include <deque>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar {

/// Whether a call may go on (C-R3).
class Authorization {
 public:
  bool granted() const noexcept { return granted_; }
  const Response& refusal() const noexcept { return refusal_; }

 private:
  friend Authorization authorized();
  friend Authorization forbidden();
  friend Authorization refused(Response);
  explicit Authorization(bool granted) noexcept : granted_(granted) {}
  explicit Authorization(Response refusal) : granted_(false), refusal_(std::move(refusal)) {}

  bool granted_;
  Response refusal_;
};

/// Lets the call through.
inline Authorization authorized() { return Authorization(true); }
/// Answers error(forbidden).
inline Authorization forbidden() { return Authorization(false); }
/// Answers `error`, an error of the application's own.
inline Authorization refused(Response error) { return Authorization(std::move(error)); }
inline Authorization refused(std::string_view code, std::string_view text = {}) {
  return refused(Response::error(code, text));
}

/// A value that a call carries beside its request, for an example of one.
struct ExampleAssign {
  /// Errors: EncodeError.
  template <class T>
  ExampleAssign(std::string_view key, const T& what) : name(key), value(Payload::of(what)) {}

  std::string name;
  Payload value;
};

/// The outcome of a router's self-check.
class Health {
 public:
  static Health good() { return Health({}); }
  static Health bad(std::string reason) { return Health(std::move(reason)); }
  bool is_good() const noexcept { return reason_.empty(); }
  const std::string& reason() const noexcept { return reason_; }

 private:
  explicit Health(std::string reason) : reason_(std::move(reason)) {}
  std::string reason_;
};

/// What a version of a plugin hands over to the one that takes its place.
struct State {
  std::uint32_t version = 1;  ///< the author's own, for what the value is
  Payload value;              ///< Payload::of(anything that can be mapped)
};

class Router;

/// One declared service; what `Router::service` returns, so that its properties can be chained.
class ServiceDeclaration {
 public:
  /// What it does, for operators.
  ServiceDeclaration& doc(std::string_view text) {
    doc_ = text;
    return *this;
  }
  /// It is short and never blocks: runs on the caller's thread, where no timeout can hold (C-D17). Without `limit`.
  ServiceDeclaration& inlined() { return flag(BUSBAR_SERVICE_INLINE); }
  /// It may run twice for one call without harm (C-D18).
  ServiceDeclaration& idempotent() { return flag(BUSBAR_SERVICE_IDEMPOTENT); }
  /// It does nothing but check when the message's dry_run says so (C-D10).
  ServiceDeclaration& dry_run_safe() { return flag(BUSBAR_SERVICE_DRY_RUN_SAFE); }
  /// How callers on other nodes pick one of its providers, where they do not say so themselves (C-D3).
  /// Errors: std::invalid_argument for Strategy::sticky, which needs a field.
  ServiceDeclaration& strategy(Strategy strategy) {
    if (strategy == Strategy::sticky)
      throw std::invalid_argument("service \"" + name_ +
                                  "\": strategy(sticky) names no field, expected sticky(\"FIELD\")");
    strategy_ = strategy;
    sticky_field_.clear();
    return *this;
  }
  /// Calls with the same value in `field` of the request go to the same provider, as long as that is there (C-D3).
  /// Errors: std::invalid_argument for a field without a name; the load fails for one that the request does not have.
  ServiceDeclaration& sticky(std::string_view field) {
    if (field.empty())
      throw std::invalid_argument("service \"" + name_ +
                                  "\": sticky(\"\"), expected the name of a field of the request");
    strategy_ = Strategy::sticky;
    sticky_field_ = field;
    return *this;
  }
  /// At most so many of its calls run at the same time on one node, and so many more wait; others are told
  /// `overloaded`, and go to another provider (C-D15). Not for inline services: the load fails.
  /// Errors: std::invalid_argument for no calls at all.
  ServiceDeclaration& limit(std::uint32_t max_running, std::uint32_t max_queued = BUSBAR_NO_LIMIT) {
    if (max_running == 0)
      throw std::invalid_argument("service \"" + name_ + "\": max_running is 0, expected 1 or more");
    max_running_ = max_running;
    max_queued_ = max_queued;
    return *this;
  }
  /// A request that works, for `busbar describe`. Without one it is what the request's type makes by default, where
  /// that is good. Any type that is written as the request's own would be. `assigns`: what `authorize` looks for beside
  /// it, as {{"user", "ann"}}. Errors: std::invalid_argument that lists what the service would refuse it for, and for a
  /// name of an assign that the command line could not give; EncodeError.
  template <class T>
  ServiceDeclaration& example(const T& request, std::initializer_list<ExampleAssign> assigns = {}) {
    take_example(Payload::of(request));
    take_example_assigns(assigns);
    return *this;
  }
  /// What a handler that takes the message expects in it. Before `example`.
  /// Errors: std::logic_error where the handler's own type says it, and for a type that cannot be mapped.
  template <class T>
  ServiceDeclaration& request() {
    expect_unknown(signature_.request_schema, "request");
    if (!signature_.example.empty())
      throw std::logic_error("service \"" + name_ + "\": its example comes before its request; turn them around");
    detail::describe_request<T>(signature_);
    return *this;
  }
  /// The value with which a handler answers that returns a response or a message, or nothing yet.
  /// Errors: as above.
  template <class T>
  ServiceDeclaration& response() {
    expect_unknown(signature_.response_schema, "response");
    detail::describe_response<T>(signature_);
    return *this;
  }
  /// The timeout for callers that name none: 1 ms to 24 h.
  /// Errors: std::invalid_argument beyond that.
  ServiceDeclaration& timeout(std::chrono::milliseconds timeout) {
    if (timeout.count() < 1 || timeout.count() > kMaxTimeoutMs) {
      throw std::invalid_argument("service \"" + name_ + "\": timeout is " + std::to_string(timeout.count()) +
                                  " ms, expected 1 to " + std::to_string(kMaxTimeoutMs));
    }
    timeout_ms_ = static_cast<std::uint32_t>(timeout.count());
    return *this;
  }

 private:
  friend class Router;
  friend struct RouterBinding;

  ServiceDeclaration(std::string_view name, detail::BoundHandler handler, detail::Signature signature)
      : name_(name), handler_(handler), signature_(std::move(signature)) {}
  ServiceDeclaration& flag(std::uint32_t flag) {
    flags_ |= flag;
    return *this;
  }
  void expect_unknown(const std::string& schema, const char* what) const {
    if (!schema.empty())
      throw std::logic_error("service \"" + name_ + "\": its handler's type already says what its " + what + " is");
  }
  void take_example(const Payload& request) {
    std::string faults;
    if (signature_.faults_of != nullptr) {
      for (const FieldError& fault : signature_.faults_of(request.bytes())) {
        faults += faults.empty() ? "" : "; ";
        if (!fault.path.empty()) faults += "field \"" + fault.path + "\": ";
        faults += "expected " + fault.expected + (fault.found.empty() ? "" : ", found " + fault.found);
      }
    }
    if (!faults.empty())
      throw std::invalid_argument("service \"" + name_ + "\": its example would be refused: " + faults);
    signature_.example = cbor::to_json_text(request.bytes());
  }
  void take_example_assigns(std::initializer_list<ExampleAssign> assigns) {
    signature_.example_assigns.clear();
    if (assigns.size() == 0) return;
    std::vector<std::uint8_t> map = {0xA0};  // an empty one
    for (const ExampleAssign& assign : assigns) {
      if (assign.name.empty() || assign.name.find('=') != std::string::npos) {
        throw std::invalid_argument("service \"" + name_ + "\": an assign of its example is called \"" + assign.name +
                                    "\", expected a name without \"=\"");
      }
      map = cbor::with_field(map, assign.name, assign.value.bytes());
    }
    signature_.example_assigns = cbor::to_json_text(map);
  }
  // What contradicts itself, now that all is said.
  void check_whole() const {
    if ((flags_ & BUSBAR_SERVICE_INLINE) != 0 && max_running_ != 0) {
      throw std::invalid_argument("service \"" + name_ + "\": it is inlined() and has a limit(" +
                                  std::to_string(max_running_) +
                                  "), expected one of them: an inline service runs on its caller's thread, where no "
                                  "call can wait");
    }
    const std::vector<std::string>& fields = signature_.request_fields;
    if (sticky_field_.empty() || fields.empty()) return;
    std::string known;
    for (const std::string& field : fields) {
      if (field == sticky_field_) return;
      known += (known.empty() ? "\"" : ", \"") + field + "\"";
    }
    throw std::invalid_argument("service \"" + name_ + "\": sticky(\"" + sticky_field_ +
                                "\"), expected a field of the request: " + known);
  }
  static busbar_text c_text(const std::string& text) noexcept { return {text.data(), text.size()}; }
  busbar_service c_service() {
    check_whole();
    busbar_service out{};
    out.struct_size = sizeof out;
    out.flags = flags_;
    out.name = c_text(name_);
    out.doc = c_text(doc_);
    out.timeout_ms = timeout_ms_;
    out.data = &handler_;
    out.request_schema = c_text(signature_.request_schema);
    out.response_schema = c_text(signature_.response_schema);
    out.example = c_text(signature_.example);
    out.strategy = static_cast<std::uint32_t>(strategy_);
    out.max_running = max_running_;
    out.max_queued = max_queued_;
    out.sticky_field = c_text(sticky_field_);
    out.example_assigns = c_text(signature_.example_assigns);
    return out;
  }

  std::string name_;
  std::string doc_;
  std::uint32_t flags_ = 0;
  std::uint32_t timeout_ms_ = 0;
  Strategy strategy_ = Strategy::standard;
  std::uint32_t max_running_ = 0;
  std::uint32_t max_queued_ = 0;
  std::string sticky_field_;
  detail::BoundHandler handler_;
  detail::Signature signature_;
};

/// A plugin's object: derive, declare services in the constructor, override what you need.
///
/// The constructor and static initialisers must have no effect on the world: they also run while the file is tried
/// out in a child process, and when it is built. Open files, connections and threads in `start`.
///
/// Handlers run on many threads at once. A handler takes nothing, the typed request, the request and a `Context&`,
/// or the whole `Message&` (and a `Context&`); it returns a value, a `Response`, a `Message`, `void` for a bare ok, or
/// `no_reply`.
class Router {
 public:
  virtual ~Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  /// Runs before every handler, on its thread. Not overridden, it forbids everything (C-R3). Threads: many at once.
  virtual Authorization authorize(const Message& message) {
    (void)message;
    return forbidden();
  }
  /// Where a call runs that `authorize` has let through (C-R6): on the node that is named, which asks neither again, or
  /// here where the name is empty. Override it publicly. Threads: many at once.
  virtual std::string choose_node(const Message& message) {
    (void)message;
    return {};
  }
  /// Opens what the services need; `config` is the table [plugin.NAME]. What it throws fails the load.
  virtual void start(const Payload& config) { (void)config; }
  /// Ends everything that `start` began, threads and reply handles included. What it throws is logged.
  virtual void stop() {}
  /// Whether the plugin can do its work. Threads: any.
  virtual Health healthy() { return Health::good(); }

  /// What the version that takes this one's place is to go on with. Asked for when no call is inside and new ones wait,
  /// which they do for as long as this takes; only where that version has a `restore_state`. Override it publicly.
  /// What it throws leaves this version serving. Threads: one, the loader's; those of the plugin's own go on.
  virtual State save_state() { return {}; }
  /// Takes over what the version before has saved, after `start` and before the first call. Throw for what it cannot
  /// go on with, as `unknown_state(state)` for a version that it does not know: then the other one serves on.
  /// Override it publicly. Threads: the loader's.
  virtual void restore_state(const State& state) { (void)state; }

 protected:
  Router() = default;

  /// Declares a public service, callable from every node. The handler may have any name.
  /// Errors: std::invalid_argument for a bad or repeated name, std::logic_error for a type whose `serialize` leaves a
  /// field unnamed; they fail the load with their text.
  template <class Derived, class Result, class... Args>
  ServiceDeclaration& service(std::string_view name, Result (Derived::*handler)(Args...)) {
    return declare(name, detail::bind<Derived, Result, Args...>(handler), detail::signature_of<Result, Args...>());
  }
  template <class Derived, class Result, class... Args>
  ServiceDeclaration& service(std::string_view name, Result (Derived::*handler)(Args...) const) {
    return declare(name, detail::bind<Derived, Result, Args...>(handler), detail::signature_of<Result, Args...>());
  }
  /// Declares a private service, callable on its own node only (C-R1).
  template <class Handler>
  ServiceDeclaration& private_service(std::string_view name, Handler handler) {
    return service(name, handler).flag(BUSBAR_SERVICE_PRIVATE);
  }

  /// At most so many calls of all its services run at the same time on one node, and so many more wait; others are told
  /// `overloaded` (C-D15). Inline services do not count. In the constructor.
  /// Errors: std::invalid_argument for no calls at all.
  void limit(std::uint32_t max_running, std::uint32_t max_queued = BUSBAR_NO_LIMIT) {
    if (max_running == 0) throw std::invalid_argument("the router's max_running is 0, expected 1 or more");
    max_running_ = max_running;
    max_queued_ = max_queued;
  }

  /// It holds what another version of it cannot have at the same time: a port, a lock, a file. One version is stopped
  /// before the other starts, and calls wait meanwhile; should the new one not start, the old one is started again, so
  /// that `start` must be possible after `stop`. In the constructor.
  void exclusive() noexcept { exclusive_ = true; }

  /// What `restore_state` throws for a version that it does not know.
  static std::runtime_error unknown_state(const State& state) {
    return std::runtime_error("it does not know version " + std::to_string(state.version) + " of the state");
  }

  /// Dispatching and logging outside any call, from a thread of the plugin's own. From `start` on.
  Dispatching host() const noexcept { return Dispatching(*host_, nullptr); }
  Logger log() const noexcept { return Logger(*host_, nullptr); }

 private:
  friend struct RouterBinding;

  ServiceDeclaration& declare(std::string_view name, detail::BoundHandler handler, detail::Signature signature) {
    if (!is_service_name(name)) {
      throw std::invalid_argument("service name \"" + std::string(name.substr(0, 300)) + "\" does not match " +
                                  std::string(kServiceNameRule));
    }
    for (const auto& other : services_) {
      if (other.name_ == name) throw std::invalid_argument("service \"" + std::string(name) + "\" is declared twice");
    }
    return services_.emplace_back(ServiceDeclaration(name, handler, std::move(signature)));
  }

  const busbar_host* host_ = nullptr;
  std::uint32_t max_running_ = 0;
  std::uint32_t max_queued_ = 0;
  bool exclusive_ = false;
  std::deque<ServiceDeclaration> services_;  // a deque: declarations are referred to while more are added
};

}  // namespace busbar
