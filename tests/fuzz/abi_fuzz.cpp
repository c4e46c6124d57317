// A plugin that uses the boundary in any order, and its callers: every call ends with one answer, its own; nothing of
// it stays behind.
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "fuzz/abi/odd_others.hpp"
#include "fuzz/abi/odd_plugin.hpp"
#include "fuzz/abi/odd_structs.hpp"
#include "fuzz/choices.hpp"
#include "log/log.hpp"
#include "support/hub.hpp"

namespace busbar::fuzz {
namespace {

/// Waits until it holds, awake. For no longer than it may take, by the processor's time: how much of that others leave
/// does not count.
template <class Condition>
void await(Condition&& condition, const char* what) {
  const std::clock_t limit = std::clock() + 20 * CLOCKS_PER_SEC;
  while (!condition()) {
    must(std::clock() < limit, what);
    std::this_thread::yield();
  }
}

/// Looks at all that observers are shown.
class TouchingObserver final : public host::Observer {
 public:
  void on_event(const host::Event& event) noexcept override {
    for (const std::string_view text : {event.service, event.message_id, event.correlation_id, event.node, event.plugin,
                                        event.origin, event.reason, event.file, event.code}) {
      touch(text);
    }
  }
};

/// A node with two odd plugins, two other nodes that calls can go to, and those who call.
class World {
 public:
  explicit World(Stage& stage)
      : stage_(stage),
        many_(stage,
              {{"pooled"},
               {"inlined", BUSBAR_SERVICE_INLINE | BUSBAR_SERVICE_IDEMPOTENT},
               {"hidden", BUSBAR_SERVICE_PRIVATE | BUSBAR_SERVICE_DRY_RUN_SAFE},
               {"old", 0, 0, 0, offsetof(busbar_service, request_schema)}},
              0, 0),
        few_(stage, {{"narrow", 0, 1, 1}, {"wide", 0, 3, 2}}, 2, 1),
        hub_({2, 6, 6, host::kMillisecond, 5 * host::kSecond, {}}, "node-1",
             host::Logs({host::LogLevel::trace}, std::make_shared<spdlog::sinks::null_sink_mt>()).get("odd")) {
    add("many", many_);
    add("few", few_);
    const registry::RemoteService away{
        .name = "away", .router = "far", .idempotent = true, .strategy = Strategy::sticky, .sticky_field = "k"};
    hub_.registry().put_node(near_, {away, {.name = "narrow", .router = "far"}});
    hub_.registry().put_node(far_, {away});
    hub_.events().subscribe(observer_);
    hub_.dispatcher().limit_peer_calls(3);
  }
  ~World() { hub_.events().unsubscribe(observer_); }

  /// A service that was too slow too often runs on the pool for good.
  bool is_as_new() const {
    for (auto* instance : instances_) {
      for (auto& endpoint : instance->endpoints()) {
        if (endpoint.is_inline() != endpoint.declared().is_inline) return false;
      }
    }
    return true;
  }

  void begin(Choices& script) {
    switch (script.below(7)) {
      case 0:
      case 1:
        return by_a_plugin(script);
      case 2:
        return by_somebody_who_gives_up(script);
      case 3:
        return by_somebody_who_asks_for_leave(script);
      case 4:
        return by_a_requester(node_, script);
      case 5:
        return by_a_requester(client_, script);
      default:
        return by_a_requester(stranger_, script);
    }
  }

  /// Waits until all that was begun has ended, and looks at what is left of it.
  void end() {
    await([this] { return all_told(); }, "somebody was never answered");
    // A handler may still run that has been answered for, and leave something for the end.
    await([this] { return all_told() && !stage_.do_what_is_for_the_end() && is_quiet(); }, "a call never ended");
    for (auto* instance : instances_) check_gates(*instance);
    stage_.ledger.clear();
    for (const auto& requester : requesters_) requester->clear();
  }

 private:
  std::shared_ptr<OddPeer> peer(const char* name) {
    return std::make_shared<OddPeer>(name, stage_, hub_.dispatcher(), hub_.registry());
  }
  static std::shared_ptr<OddRequester> requester(wire::Role role, const char* name, const Outsider& who) {
    return std::make_shared<OddRequester>(role, name, who);
  }
  bool all_told() const {
    return stage_.ledger.all_told() && stage_.elsewhere.is_idle() &&
           std::all_of(requesters_.begin(), requesters_.end(), [](const auto& one) { return one->has_all(); });
  }
  bool is_quiet() const {
    return hub_.is_quiet() && near_->is_quiet() && far_->is_quiet() &&
           std::all_of(requesters_.begin(), requesters_.end(), [](const auto& one) { return one->is_quiet(); });
  }
  void add(const char* name, OddPlugin& plugin) {
    host::Instance& instance = hub_.add(name, plugin.router());
    plugin.is_hosted_by(instance.c_host());
    instances_.push_back(&instance);
  }

  void by_a_plugin(Choices& script) {
    OddPlugin& plugin = script.flip() ? few_ : many_;
    Choices own(script.some());
    follow(plugin, own);
  }
  Message next_message(Choices& script) {
    Message message(script.one_of(kServices), Payload::copy(script.some()));
    message.with_id(stage_.next_id()).with_dry_run(static_cast<DryRun>(script.below(3)));
    return message;
  }
  void by_somebody_who_gives_up(Choices& script) {
    Ticket& ticket = stage_.ledger.ticket();
    const auto callback = [this, &ticket](Message&& outcome) {
      busbar_response response{};
      stage_.ledger.check_outcome(outcome.c_view(response));
      ticket.tell();
    };
    Message message = next_message(script);
    host::PendingCall pending =
        hub_.dispatcher().dispatch_cancellable(std::move(message), callback, {script.byte() * 100U});
    if (script.flip()) begin_inside(script);
    if (script.flip() && pending.cancel()) {
      must(ticket.told.load() == 0, "a call was given up that had ended");
      ticket.ends.store(true);
    }
  }
  void begin_inside(Choices& script) {
    Choices own(script.some());
    if (!own.over()) begin(own);
  }
  void by_somebody_who_asks_for_leave(Choices& script) {
    Ticket& ticket = stage_.ledger.ticket();
    hub_.dispatcher().authorized_async(next_message(script), [&ticket](host::AuthorizationAnswer) { ticket.tell(); });
  }
  void by_a_requester(const std::shared_ptr<OddRequester>& from, Choices& script) {
    const Message message = next_message(script);
    const unsigned odd = script.byte();
    const bool forwards = from == node_ && (odd & 1) != 0;
    const std::string id = (forwards ? kForwarder : from->who()).letter + std::string(message.id());
    wire::Envelope request;
    request.type = wire::EnvelopeType::request;
    request.major = wire::kCallProtocolMajor;
    request.attempt = from->next_attempt();
    request.service = message.service_name();
    request.message_id = id;
    request.dry_run = static_cast<std::uint8_t>(message.dry_run());
    request.raw_request = message.raw_request().bytes();
    request.authorize_only = (odd & 6) == 2;
    request.remaining_us = (odd & 8) != 0 ? script.byte() * 8U : 5'000'000U;
    // A node ends its calls itself when their time is over; a plugin may hold one longer.
    if (from == node_ && (odd & 8) != 0) from->gives_up(request.attempt);
    OddStructs structs;
    if ((odd & 16) != 0) odd_payloads(structs, script, request);
    if (forwards) {
      request.is_forwarded = true;
      request.answer_to_incarnation = 1;
      if ((odd & 32) != 0) request.answer_to = script.one_of(kWords);
      if ((odd & 32) != 0) request.answer_attempt = script.number<std::uint64_t>();
      if ((odd & 32) != 0) from->gives_up(request.attempt);  // somebody else is answered
    }
    send(from, request);
    if ((odd & 64) == 0) return;
    begin_inside(script);
    from->gives_up(request.attempt);
    wire::Envelope cancel;
    cancel.type = wire::EnvelopeType::cancel;
    cancel.major = wire::kCallProtocolMajor;
    cancel.attempt = request.attempt;
    send(from, cancel);
  }
  static void odd_payloads(OddStructs& structs, Choices& script, wire::Envelope& request) {
    for (wire::Bytes* bytes :
         {&request.request, &request.assigns, &request.events, &request.logger_metadata, &request.aggregate_meta}) {
      const busbar_bytes made = structs.bytes(script);
      *bytes = {made.data, made.size};
    }
  }
  void send(const std::shared_ptr<host::Requester>& from, const wire::Envelope& envelope) {
    const auto bytes = encode(envelope);
    wire::Bytes rest = bytes;
    hub_.dispatcher().on_request(from, wire::read_envelope(rest));
  }

  static void check_gates(host::Instance& instance) {
    must(instance.gate().running() == 0, "a call has kept its place at its plugin's gate");
    for (auto& endpoint : instance.endpoints()) {
      must(endpoint.gate().running() == 0, "a call has kept its place at its service's gate");
    }
  }

  Stage& stage_;
  OddPlugin many_, few_;
  testing::Hub hub_;
  std::vector<host::Instance*> instances_;
  const std::shared_ptr<OddPeer> near_ = peer("node-2"), far_ = peer("node-3");
  const std::shared_ptr<OddRequester> node_ = requester(wire::Role::node, "node-2", kOtherNode);
  const std::shared_ptr<OddRequester> client_ = requester(wire::Role::client, "client", kDeployer);
  const std::shared_ptr<OddRequester> stranger_ = requester(wire::Role::client, "client", kStranger);
  const std::array<std::shared_ptr<OddRequester>, 3> requesters_ = {node_, client_, stranger_};
  const std::shared_ptr<TouchingObserver> observer_ = std::make_shared<TouchingObserver>();
};

}  // namespace
}  // namespace busbar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace busbar::fuzz;
  static Stage stage;
  static auto world = std::make_unique<World>(stage);
  if (!world->is_as_new()) {
    world.reset();
    world = std::make_unique<World>(stage);
  }
  // Longer ones do nothing that shorter ones cannot.
  Choices script({data, std::min<std::size_t>(size, 512)});
  stage.begin_run();
  while (!script.over()) world->begin(script);
  world->end();
  return 0;
}
