// Routers whose services are functions of a test.
#pragma once

#include <busbar/plugin.hpp>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace busbar::testing {

/// What a scripted router offers. Example: `Script().on("twice", [](Message& m, Context&) { … return Response::ok();
/// })`.
struct Script {
  using Answer = std::function<Response(Message&, Context&)>;
  using Deferral = std::function<void(Message&, Context&)>;

  struct Service {
    std::string name;
    Answer answer;      // one of these two
    Deferral deferral;  // the handler returns no_reply
    std::uint32_t flags = 0;
    std::uint32_t timeout_ms = 0;
    std::uint32_t max_running = 0;
    std::uint32_t max_queued = 0;
  };

  Script& on(std::string name, Answer answer, std::uint32_t flags = 0) {
    services.push_back({std::move(name), std::move(answer), {}, flags});
    return *this;
  }
  Script& defer(std::string name, Deferral deferral, std::uint32_t flags = 0) {
    services.push_back({std::move(name), {}, std::move(deferral), flags});
    return *this;
  }
  Script& timeout_ms(std::uint32_t timeout) {
    services.back().timeout_ms = timeout;
    return *this;
  }
  /// Of the service that was added last; before the first one, of all together.
  Script& limit(std::uint32_t max_running, std::uint32_t max_queued = BUSBAR_NO_LIMIT) {
    (services.empty() ? max_running_of_all : services.back().max_running) = max_running;
    (services.empty() ? max_queued_of_all : services.back().max_queued) = max_queued;
    return *this;
  }
  Script& authorize_with(std::function<Authorization(const Message&)> decide) {
    authorize = std::move(decide);
    return *this;
  }
  Script& choose_with(std::function<std::string(const Message&)> decide) {
    choose = std::move(decide);
    return *this;
  }

  std::vector<Service> services;
  std::uint32_t max_running_of_all = 0;
  std::uint32_t max_queued_of_all = 0;
  std::function<Authorization(const Message&)> authorize = [](const Message&) { return authorized(); };
  std::function<std::string(const Message&)> choose;  // empty: the router has no choose_node of its own
};

/// A router of the C++ SDK that does what the script says which `next` holds while it is made.
class ScriptedRouter : public Router {
 public:
  inline static Script* next = nullptr;

  ScriptedRouter() : script_(*next) {
    if (script_.max_running_of_all != 0) limit(script_.max_running_of_all, script_.max_queued_of_all);
    for (const auto& s : script_.services) {
      auto& declared = s.answer ? declare(s, &ScriptedRouter::answer) : declare(s, &ScriptedRouter::defer);
      declare_flags(declared, s);
      by_name_[s.name] = &s;
    }
  }
  Authorization authorize(const Message& message) override { return script_.authorize(message); }

  using Router::host;

 protected:
  const Script& script() const { return script_; }

 private:
  template <class Handler>
  ServiceDeclaration& declare(const Script::Service& s, Handler handler) {
    return (s.flags & BUSBAR_SERVICE_PRIVATE) != 0 ? private_service(s.name, handler) : service(s.name, handler);
  }
  void declare_flags(ServiceDeclaration& declared, const Script::Service& s) {
    if ((s.flags & BUSBAR_SERVICE_INLINE) != 0) declared.inlined();
    if ((s.flags & BUSBAR_SERVICE_IDEMPOTENT) != 0) declared.idempotent();
    if ((s.flags & BUSBAR_SERVICE_DRY_RUN_SAFE) != 0) declared.dry_run_safe();
    if (s.timeout_ms != 0) declared.timeout(std::chrono::milliseconds(s.timeout_ms));
    if (s.max_running != 0) declared.limit(s.max_running, s.max_queued);
  }
  Message answer(Message& message, Context& context) {
    Response response = by_name_.at(std::string(message.service_name()))->answer(message, context);
    return message.respond(std::move(response));
  }
  NoReply defer(Message& message, Context& context) {
    by_name_.at(std::string(message.service_name()))->deferral(message, context);
    return no_reply;
  }

  const Script script_;
  std::map<std::string, const Script::Service*> by_name_;
};

/// The same with a `choose_node`.
class ChoosingRouter final : public ScriptedRouter {
 public:
  std::string choose_node(const Message& message) override { return script().choose(message); }
};

/// A router in plain C terms, for what the C++ SDK would never do. One service.
class CRouter {
 public:
  using Function = std::function<std::uint32_t(busbar_call*, const busbar_message*)>;

  CRouter(std::string name, Function serve, std::uint32_t flags = 0)
      : authorize([](busbar_call*, const busbar_message*) { return BUSBAR_AUTHORIZED; }),
        handle(std::move(serve)),
        name_(std::move(name)) {
    service_.struct_size = sizeof service_;
    service_.flags = flags;
    service_.name = {name_.data(), name_.size()};
    router_.struct_size = sizeof router_;
    router_.service_count = 1;
    router_.services = &service_pointer_;
    router_.self = this;
    router_.authorize = [](void* self, const busbar_service*, busbar_call* call, const busbar_message* message) {
      return static_cast<CRouter*>(self)->authorize(call, message);
    };
    router_.handle = [](void* self, const busbar_service*, busbar_call* call, const busbar_message* message) {
      return static_cast<CRouter*>(self)->handle(call, message);
    };
    router_.destroy = [](void*) {};
  }
  CRouter(const CRouter&) = delete;
  CRouter& operator=(const CRouter&) = delete;

  busbar_router& c_router() { return router_; }

  Function authorize;
  Function handle;

 private:
  std::string name_;
  busbar_service service_{};
  const busbar_service* service_pointer_ = &service_;
  busbar_router router_{};
};

}  // namespace busbar::testing
