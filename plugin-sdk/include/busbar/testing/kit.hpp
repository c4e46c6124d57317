// For a plugin's tests: a host of one router, in the test's own process. Its time stands still, the services of others
// are fakes, and what the plugin does can be looked at. It needs nothing but the SDK, and fits any test framework.
// Requests and answers are encoded on their way, as between hosts: a field that `serialize` does not mention arrives
// with its default.
//
//   busbar::kit::Host<Accounts> host({{"check_from", 500}});      // made and started, as a real host does it
//   host.fake("fraud_check", busbar::Response::ok());             // what another plugin would answer
//   const auto back = host.call(busbar::Message::of("withdraw", Withdraw{"a-1", 700}).assign("user", "ann"));
//   EXPECT_TRUE(back.response().succeeded());
//   EXPECT_EQ(host.dispatched("fraud_check").size(), 1u);
#pragma once

#include <busbar/plugin.hpp>
#include <busbar/testing/detail/host_table.hpp>
#include <busbar/testing/detail/state_buffer.hpp>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::kit {

/// A call that was begun, and may be answered later. Ownership: may outlive the host. Threads: any.
class Pending {
 public:
  explicit Pending(std::shared_ptr<detail::Call> call) : call_(std::move(call)) {}

  /// Whether its caller has an answer, be it that the time is over.
  bool ended() const { return call_->ended(); }

  /// What its caller got. Where another thread of the plugin is still to answer, this waits for it.
  /// Errors: std::runtime_error when nobody answers for ten seconds of real time.
  Message answer() const {
    if (!call_->wait()) {
      throw std::runtime_error("service \"" + std::string(call_->message().service_name()) +
                               "\" has not answered, and nobody seems to be about to; where the test itself makes it "
                               "answer, use begin() instead of call(), and where it never does, advance() the time");
    }
    return call_->outcome();
  }

  /// The caller no longer wants the answer: the handler sees `caller_gone`. Then `answer` has no response.
  void give_up() { call_->give_up(); }

 private:
  std::shared_ptr<detail::Call> call_;
};

/// A host that serves one router. Calls run on the thread that makes them, from `authorize` to the end of the handler,
/// with every nested call; nothing else has a thread. Limits, strategies and the watch over inline services are a real
/// host's alone. Threads: any, but for the constructor, `stop` and the destructor.
template <class Plugin>
class Host {
 public:
  /// A key of the configuration, and what stands there.
  struct Entry {
    Entry(std::string_view the_key, nlohmann::json the_value) : key(the_key), value(std::move(the_value)) {}
    std::string key;
    nlohmann::json value;
  };

  /// Makes the router across the C boundary, as a host does, and starts it. `config` is what stands in [plugin.NAME].
  /// Errors: std::runtime_error with the text with which the constructor or `start` failed; std::invalid_argument for a
  /// `config` that is no object.
  explicit Host(const nlohmann::json& config, std::string node = "test-node") {
    if (!config.is_object()) throw std::invalid_argument("the configuration is no object: " + config.dump());
    state_->node = std::move(node);
    detail::HostTable::fill(state_);
    busbar_error error{};
    router_.reset(RouterBinding::create<Plugin>(&state_->table, &error));
    if (!router_) fail("the router could not be made", error);
    state_->router = router_.get();
    const Payload payload = Payload::from_json(config);
    if (router_->start(router_->self, {payload.bytes().data(), payload.bytes().size()}, &error) != BUSBAR_DONE)
      fail("start failed", error);
    started_ = true;
  }
  /// The same with a table that is written there: `kit::Host<Accounts> host({{"check_from", 500}});`, or with braces
  /// alone.
  explicit Host(std::initializer_list<Entry> config) : Host(table_of(config)) {}
  Host() : Host(nlohmann::json::object()) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    end();
    state_->forget_due();
    router_.reset();
    state_->router = nullptr;
  }

  // -- calling

  /// Calls, and returns what a caller gets back (C-M9). `timeout` 0: the service's own.
  /// Errors: as Pending::answer.
  Message call(const Message& message, std::chrono::milliseconds timeout = {}) {
    if (message.halted()) return message;  // C-D1
    const busbar_service* service = running().find(message.service_name());
    if (service == nullptr) return detail::answered(message, detail::nobody(message.service_name()));
    return make(*service, message, timeout, detail::Purpose::serve).answer();
  }
  template <class Request>
  Message call(std::string_view service, const Request& request, std::chrono::milliseconds timeout = {}) {
    return call(Message::of(service, request), timeout);
  }
  Message call(std::string_view service) { return call(Message(service)); }

  /// The same for a service that answers later: returns when its handler has.
  /// Errors: std::invalid_argument where the router has no such service.
  Pending begin(const Message& message, std::chrono::milliseconds timeout = {}) {
    return make(known(message.service_name()), message, timeout, detail::Purpose::serve);
  }
  template <class Request>
  Pending begin(std::string_view service, const Request& request, std::chrono::milliseconds timeout = {}) {
    return begin(Message::of(service, request), timeout);
  }
  Pending begin(std::string_view service) { return begin(Message(service)); }

  /// Calls with dry_run, as `busbar validate` does (C-D10).
  Message validate(Message message) {
    message.with_dry_run(for_validation(message.dry_run()));
    return call(message);
  }
  /// Whether the router would let the call through (C-D11). Errors: as `begin`.
  bool authorized(const Message& message) {
    const busbar_service& service = known(message.service_name());
    return make(service, message, {}, detail::Purpose::authorize_only).answer().response().succeeded();
  }

  // -- the services of others

  /// Answers what the plugin dispatches to `service`, in place of its own of that name, if it has one. A service
  /// without a fake is unavailable. `takes`: the time that passes until it answers; `kit::never` for one that does not.
  void fake(std::string_view service, Answer answer, std::chrono::microseconds takes = {}) {
    state_->add_fake(service, std::move(answer), takes);
  }
  void fake(std::string_view service, const Response& response, std::chrono::microseconds takes = {}) {
    fake(
        service, [response](const Message&) { return response; }, takes);
  }
  /// What the plugin has dispatched so far, in order; with a name, to that service alone.
  std::vector<Dispatched> dispatched(std::string_view service = {}) const {
    std::vector<Dispatched> all = state_->dispatched();
    std::erase_if(all, [&](const Dispatched& d) { return !service.empty() && d.message.service_name() != service; });
    return all;
  }

  // -- time and the rest

  /// Moves the time on: answers that fakes still owe arrive, and calls whose time is over end. From anywhere, also from
  /// inside a fake or a handler that is to be slow.
  void advance(std::chrono::microseconds time) { state_->advance(time); }

  /// What the plugin has logged so far.
  std::vector<LogLine> log() const { return state_->log(); }

  Health healthy() const {
    busbar_error error{};
    if (router_->healthy(router_->self, &error) == BUSBAR_DONE) return Health::good();
    return Health::bad({error.text, error.size});
  }

  /// What the router hands over to the version that takes its place; for the `restore_state` of another host, which
  /// holds that version. Errors: std::runtime_error with what it threw; std::logic_error where it has no `save_state`.
  State save_state() {
    if (running().router_->save_state == nullptr) throw std::logic_error("the router has no save_state of its own");
    detail::StateBuffer buffer;
    busbar_state state{sizeof state, 0, buffer.c_buffer()};
    busbar_error error{};
    if (router_->save_state(router_->self, &state, &error) != BUSBAR_DONE) fail("save_state failed", error);
    return {state.version, Payload::copy({buffer.bytes().data, buffer.bytes().size})};
  }
  /// Errors: likewise.
  void restore_state(const State& state) {
    if (running().router_->restore_state == nullptr)
      throw std::logic_error("the router has no restore_state of its own");
    const auto bytes = state.value.bytes();
    busbar_error error{};
    if (router_->restore_state(router_->self, state.version, {bytes.data(), bytes.size()}, &error) != BUSBAR_DONE)
      fail("restore_state failed", error);
  }

  /// Stops the router, as the destructor does otherwise; it cannot be called afterwards. What it asked of others is
  /// answered before. Errors: std::logic_error when it still holds reply handles, which would keep it from being
  /// unloaded.
  void stop() {
    end();
    if (const int held = state_->handles_held(); held != 0)
      throw std::logic_error("the router was stopped, and " + std::to_string(held) +
                             " reply handles are still there; answer or drop them in stop()");
  }

  /// The router as a host sees it: its services with their names, flags and texts.
  const busbar_router& c_router() const noexcept { return *router_; }

 private:
  struct Destroy {
    void operator()(const busbar_router* router) const { router->destroy(router->self); }
  };

  static nlohmann::json table_of(std::initializer_list<Entry> entries) {
    nlohmann::json table = nlohmann::json::object();
    for (const Entry& entry : entries) table[entry.key] = entry.value;
    return table;
  }
  [[noreturn]] static void fail(const std::string& what, const busbar_error& error) {
    throw std::runtime_error(what + ": " + std::string(error.text, error.size));
  }
  Host& running() {
    if (!started_) throw std::logic_error("the router was stopped, and cannot be called any more");
    return *this;
  }
  const busbar_service* find(std::string_view name) const { return detail::find_service(*router_, name); }
  const busbar_service& known(std::string_view name) {
    if (const busbar_service* service = running().find(name)) return *service;
    throw std::invalid_argument("the router has no service \"" + std::string(name) + "\"");
  }

  Pending make(const busbar_service& service, const Message& message, std::chrono::milliseconds timeout,
               detail::Purpose purpose) {
    const std::uint32_t asked_ms = busbar::detail::timeout_ms_of(timeout);
    const auto budget = detail::budget_of(*state_, nullptr, message, asked_ms, &service);
    auto call = std::make_shared<detail::Call>(state_, service, message, budget);
    call->serve(purpose);
    return Pending(std::move(call));
  }
  void end() {
    if (!std::exchange(started_, false)) return;
    state_->deliver_owed();
    router_->stop(router_->self);
  }

  const std::shared_ptr<detail::State> state_ = std::make_shared<detail::State>();
  std::unique_ptr<const busbar_router, Destroy> router_;
  bool started_ = false;
};

}  // namespace busbar::kit
