// A host that serves one call and remembers what came across the boundary: for the SDK's own tests of what it sends.
// What a caller sees of a router is shown by the test kit (busbar/testing/kit.hpp).
#pragma once

#include <busbar/plugin.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace busbar::testing {

class FakeHost {
 public:
  FakeHost() {
    host_.struct_size = sizeof host_;
    host_.abi_major = BUSBAR_ABI_MAJOR;
    host_.context = this;
    host_.node = {"test-node", 9};
    host_.reply_buffer = [](busbar_call* call) { return &of(call).buffer.c; };
    host_.reply = [](busbar_call* call, const busbar_reply* reply) { return of(call).take(*reply); };
    host_.call_retain = [](busbar_call* call) { ++of(call).holders; };
    host_.call_release = [](busbar_call* call) { --of(call).holders; };
    host_.time_left_us = [](const busbar_call*) { return std::int64_t{1'500'000}; };
    host_.caller_gone = [](const busbar_call*) { return std::uint32_t{0}; };
    host_.log = [](void* context, const busbar_call*, std::uint32_t level, busbar_text text) {
      static_cast<FakeHost*>(context)->lines.push_back(std::to_string(level) + " " + std::string(text.data, text.size));
    };
  }

  /// What a call came to.
  struct Outcome {
    std::optional<Response> response;  // nothing: no answer
    std::optional<Payload> assigns;    // nothing: as they were
    std::vector<nlohmann::json> events;
    std::uint32_t returned = 0;
    int refused = 0;  // answers beyond the first
    int holders = 0;  // handles that are still held
    bool in_buffer = false;
  };

  const busbar_host& c_host() const { return host_; }

  /// Makes a router of the class; on failure null, and `error` says why.
  template <class Plugin>
  const busbar_router* create() {
    busbar_error out{};
    const busbar_router* router = RouterBinding::create<Plugin>(&host_, &out);
    error.assign(out.text, out.size);
    return router;
  }

  Outcome handle(const busbar_router& router, const Message& message) { return run(router, message, router.handle); }
  Outcome authorize(const busbar_router& router, const Message& message) {
    return run(router, message, router.authorize);
  }

  std::string error;
  std::vector<std::string> lines;

 private:
  struct Buffer {
    busbar_buffer c{};  // first: the functions are given its address
    std::vector<std::uint8_t> bytes;
  };
  struct Call {
    Outcome outcome;
    Buffer buffer;
    int holders = 0;

    busbar_status take(const busbar_reply& reply) {
      if (outcome.response) {
        ++outcome.refused;
        return BUSBAR_ALREADY_ANSWERED;
      }
      const Response borrowed = Response::borrow(*reply.response);
      outcome.response.emplace(borrowed);
      outcome.in_buffer = buffer.c.data != nullptr && reply.response->value.data == buffer.c.data;
      if ((reply.flags & BUSBAR_REPLY_ASSIGNS) != 0) {
        outcome.assigns = Payload::own({reply.assigns.data, reply.assigns.data + reply.assigns.size});
      }
      if (reply.events.size != 0) {
        const auto list = Payload::borrow({reply.events.data, reply.events.size}).to_json();
        outcome.events.assign(list.begin(), list.end());
      }
      return BUSBAR_DONE;
    }
  };
  static Call& of(busbar_call* call) { return *reinterpret_cast<Call*>(call); }

  template <class Function>
  Outcome run(const busbar_router& router, const Message& message, Function function) {
    const busbar_service* service = nullptr;
    for (std::uint32_t i = 0; i < router.service_count; ++i) {
      const busbar_service& s = *router.services[i];
      if (std::string_view(s.name.data, s.name.size) == message.service_name()) service = &s;
    }
    if (service == nullptr) throw std::runtime_error("no such service");
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    call.buffer.c.grow = [](busbar_buffer* self, std::size_t capacity) {
      auto& bytes = reinterpret_cast<Buffer*>(self)->bytes;
      bytes.resize(capacity);
      self->data = bytes.data();
      self->capacity = capacity;
      return 0;
    };
    busbar_response response{};
    const busbar_message view = message.c_view(response);
    call.outcome.returned = function(router.self, service, reinterpret_cast<busbar_call*>(&call), &view);
    call.outcome.holders = call.holders;
    return call.outcome;
  }

  busbar_host host_{};
  std::vector<std::unique_ptr<Call>> calls_;  // kept: somebody may hold a handle
};

/// A router that is destroyed with its scope.
struct DestroyRouter {
  void operator()(const busbar_router* router) const { router->destroy(router->self); }
};
using OwnedRouter = std::unique_ptr<const busbar_router, DestroyRouter>;

/// Why no router of the class can be made; empty if one can.
template <class Plugin>
std::string failure_of() {
  FakeHost host;
  const OwnedRouter router(host.create<Plugin>());
  return host.error;
}

}  // namespace busbar::testing
