// Everything that the author of a plugin in C++ includes, and the macro that makes a router a plugin.
//
//   class Greeter final : public busbar::Router {
//    public:
//     Greeter() { service("greet", &Greeter::greet).doc("Greets somebody by name."); }
//     busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }
//    private:
//     Greeting greet(const Greet& request) { return {"Hello, " + request.name + "!"}; }
//   };
//   BUSBAR_PLUGIN(Greeter, "greeter", "1.0.0")
#pragma once

#include <busbar/abi.h>
#include <busbar/router.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace busbar {

/// Stands between the C boundary and a C++ router: no exception passes it. One for each created router.
struct RouterBinding {
  template <class Plugin>
  static const busbar_router* create(const busbar_host* host, busbar_error* error) {
    return barrier<const busbar_router*>(
        error,
        [&] {
          auto binding = std::make_unique<RouterBinding>();
          binding->host_ = host;
          binding->router_ = std::make_unique<Plugin>();
          binding->router_->host_ = host;
          binding->describe();
          if constexpr (chooses_node<Plugin>()) binding->c_router_.choose_node = &choose_node;
          if constexpr (saves_state<Plugin>()) binding->c_router_.save_state = &save_state;
          if constexpr (restores_state<Plugin>()) binding->c_router_.restore_state = &restore_state;
          return &binding.release()->c_router_;
        },
        nullptr);
  }

 private:
  void describe() {
    for (auto& declaration : router_->services_) c_services_.push_back(declaration.c_service());
    for (const auto& service : c_services_) c_service_pointers_.push_back(&service);
    c_router_.struct_size = sizeof c_router_;
    c_router_.service_count = static_cast<std::uint32_t>(c_services_.size());
    c_router_.services = c_service_pointers_.data();
    c_router_.self = this;
    c_router_.start = &start;
    c_router_.stop = &stop;
    c_router_.healthy = &healthy;
    c_router_.authorize = &authorize;
    c_router_.handle = &handle;
    c_router_.destroy = &destroy;
    c_router_.max_running = router_->max_running_;
    c_router_.max_queued = router_->max_queued_;
    c_router_.flags = router_->exclusive_ ? BUSBAR_ROUTER_EXCLUSIVE : 0;
  }

  /// Whether a router has a `choose_node` of its own: others are not asked, which saves each of their calls the
  /// question. One that cannot be seen from here (a private override) counts as its own.
  template <class Plugin>
  static constexpr bool chooses_node() {
    if constexpr (requires { &Plugin::choose_node; }) {
      return !std::is_same_v<decltype(&Plugin::choose_node), std::string (Router::*)(const Message&)>;
    } else {
      return true;
    }
  }

  /// The same of the two halves of what is handed over: without one of its own a version has nothing to hand over.
  template <class Plugin>
  static constexpr bool saves_state() {
    if constexpr (requires { &Plugin::save_state; }) {
      return !std::is_same_v<decltype(&Plugin::save_state), State (Router::*)()>;
    } else {
      return true;
    }
  }
  template <class Plugin>
  static constexpr bool restores_state() {
    if constexpr (requires { &Plugin::restore_state; }) {
      return !std::is_same_v<decltype(&Plugin::restore_state), void (Router::*)(const State&)>;
    } else {
      return true;
    }
  }

  static RouterBinding& of(void* self) { return *static_cast<RouterBinding*>(self); }

  static void explain(busbar_error* error, std::string_view text) noexcept {
    if (error == nullptr) return;
    const std::size_t size = text.size() < sizeof error->text ? text.size() : sizeof error->text;
    std::memcpy(error->text, text.data(), size);
    error->size = static_cast<std::uint32_t>(size);
  }

  /// Runs `body`; what it throws becomes `error`'s text and `failed`.
  template <class Result, class Body>
  static Result barrier(busbar_error* error, Body body, Result failed) noexcept {
    try {
      return body();
    } catch (const std::exception& e) {
      explain(error, e.what());
    } catch (...) {
      explain(error, "threw something that is no std::exception");
    }
    return failed;
  }

  static busbar_status start(void* self, busbar_bytes config, busbar_error* error) {
    const detail::Settings settings({config.data, config.size});
    const busbar_status status = barrier(
        error,
        [&] {
          of(self).router_->start(settings);
          return BUSBAR_DONE;
        },
        BUSBAR_FAILED);
    // Also where it failed: a mistyped key may be why.
    return barrier(
        nullptr,
        [&] {
          for (const std::string& text : settings.complaints()) Logger(*of(self).host_, nullptr).warn(text);
          return status;
        },
        status);
  }

  static void stop(void* self) {
    busbar_error error{};
    const bool stopped = barrier(
        &error,
        [&] {
          of(self).router_->stop();
          return true;
        },
        false);
    if (!stopped) Logger(*of(self).host_, nullptr).error("stop threw: " + std::string(error.text, error.size));
  }

  static busbar_status healthy(void* self, busbar_error* error) {
    return barrier(
        error,
        [&] {
          const Health health = of(self).router_->healthy();
          if (health.is_good()) return BUSBAR_DONE;
          explain(error, health.reason());
          return BUSBAR_FAILED;
        },
        BUSBAR_FAILED);
  }

  static busbar_status save_state(void* self, busbar_state* out, busbar_error* error) {
    return barrier(
        error,
        [&] {
          const State state = of(self).router_->save_state();
          const auto bytes = state.value.bytes();
          if (out->bytes->grow(out->bytes, bytes.size()) != 0) {
            explain(error, "the host has no room for its " + std::to_string(bytes.size()) + " bytes of state");
            return BUSBAR_NO_MEMORY;
          }
          if (!bytes.empty()) std::memcpy(out->bytes->data, bytes.data(), bytes.size());
          out->bytes->size = bytes.size();
          out->version = state.version;
          return BUSBAR_DONE;
        },
        BUSBAR_FAILED);
  }

  static busbar_status restore_state(void* self, std::uint32_t version, busbar_bytes state, busbar_error* error) {
    return barrier(
        error,
        [&] {
          of(self).router_->restore_state({version, Payload::borrow({state.data, state.size})});
          return BUSBAR_DONE;
        },
        BUSBAR_FAILED);
  }

  /// Runs `body` for a call; what it throws is answered as badrpc(exit, what) at once (C-D7).
  template <class Body>
  std::uint32_t serve(busbar_call* call, const busbar_message* view, std::uint32_t answered,
                      const Body& body) noexcept {
    try {
      Message message = Message::borrow(*view);
      // C-M2: messages made inside carry the caller's. Where it has none nothing is touched, which keeps the look at
      // this thread's variable off most calls.
      std::optional<LogMetadataScope> scope;
      if (!message.logger_metadata().empty()) scope.emplace(message.logger_metadata());
      return body(message);
    } catch (const std::exception& e) {
      answer_exit(call, e.what());
    } catch (...) {
      answer_exit(call, "threw something that is no std::exception");
    }
    return answered;
  }

  void answer_exit(busbar_call* call, const char* what) noexcept {
    busbar_response response{};
    response.struct_size = sizeof response;
    response.kind = BUSBAR_RESPONSE_ERROR;
    response.name = {code::kBadRpc.data(), code::kBadRpc.size()};
    response.detail = {badrpc::kExit.data(), badrpc::kExit.size()};
    response.text = {what, std::strlen(what)};
    busbar_reply reply{};
    reply.struct_size = sizeof reply;
    reply.response = &response;
    host_->reply(call, &reply);
  }

  static std::uint32_t authorize(void* self, const busbar_service*, busbar_call* call, const busbar_message* view) {
    RouterBinding& binding = of(self);
    return binding.serve(call, view, BUSBAR_REFUSED, [&](Message& message) -> std::uint32_t {
      const Authorization authorization = binding.router_->authorize(message);
      if (authorization.granted()) return BUSBAR_AUTHORIZED;
      if (!authorization.refusal()) return BUSBAR_FORBIDDEN;
      detail::send_reply(*binding.host_, call, authorization.refusal());
      return BUSBAR_REFUSED;
    });
  }

  static busbar_status choose_node(void* self, const busbar_service*, busbar_call* call, const busbar_message* view,
                                   busbar_node_choice* choice) {
    RouterBinding& binding = of(self);
    const auto status = binding.serve(call, view, BUSBAR_FAILED, [&](Message& message) -> std::uint32_t {
      const std::string node = binding.router_->choose_node(message);
      // One that is too long names no node; cut off it is none either, and is refused with its beginning.
      choice->size = static_cast<std::uint32_t>(std::min(node.size(), sizeof choice->name));
      std::memcpy(choice->name, node.data(), choice->size);
      return BUSBAR_DONE;
    });
    return static_cast<busbar_status>(status);
  }

  static std::uint32_t handle(void* self, const busbar_service* service, busbar_call* call,
                              const busbar_message* view) {
    RouterBinding& binding = of(self);
    return binding.serve(call, view, BUSBAR_REPLIED, [&](Message& message) -> std::uint32_t {
      const auto& handler = *static_cast<const detail::BoundHandler*>(service->data);
      return handler.invoke(*binding.router_, handler, *binding.host_, call, message);
    });
  }

  static void destroy(void* self) { delete static_cast<RouterBinding*>(self); }

  const busbar_host* host_ = nullptr;
  std::unique_ptr<Router> router_;
  busbar_router c_router_{};
  std::vector<busbar_service> c_services_;
  std::vector<const busbar_service*> c_service_pointers_;
};

}  // namespace busbar

/// Makes ROUTER the plugin NAME of VERSION (string literals). Once in a library, at file scope.
#define BUSBAR_PLUGIN(ROUTER, NAME, VERSION)                                               \
  static_assert(::busbar::is_plugin_name(NAME), "busbar: \"" NAME "\" is no plugin name"); \
  BUSBAR_PLUGIN_ENTRY(&::busbar::RouterBinding::create<ROUTER>, NAME, VERSION);
