// What a plugin dispatches under test: to fakes, to its own services, or to nobody.
#pragma once

#include <busbar/host.hpp>
#include <busbar/testing/detail/call.hpp>

#include <limits>

namespace busbar::kit::detail {

inline const busbar_service* find_service(const busbar_router& router, std::string_view name) {
  for (std::uint32_t i = 0; i < router.service_count; ++i) {
    const busbar_text found = router.services[i]->name;
    if (std::string_view(found.data, found.size) == name) return router.services[i];
  }
  return nullptr;
}

/// Whether a callback runs on this thread, which must not be held up.
inline bool& in_callback() {
  static thread_local constinit bool here = false;
  return here;
}

inline Message answered(Message message, const Response& response) {
  message.strip_for_return();
  message.respond(response);
  return message;
}

/// What a call of a service that nobody offers ends with.
inline Response nobody(std::string_view service) {
  if (is_service_name(service)) return Response::service_unavailable(service);
  return Response::error(code::kMalformed, "the service's name (" + std::to_string(service.size()) +
                                               " bytes) does not match " + std::string(kServiceNameRule));
}

inline Budget budget_of(State& state, const Call* parent, const Message& message, std::uint32_t asked_ms,
                        const busbar_service* service) {
  std::int64_t latest = std::numeric_limits<std::int64_t>::max();
  if (parent != nullptr) latest = parent->deadline_us();
  if (const auto deadline = message.deadline()) {
    const auto own = std::chrono::duration_cast<std::chrono::microseconds>(deadline->time_since_epoch()).count();
    latest = std::min<std::int64_t>(latest, own);
  }
  return Budget::of(state.now_us(), asked_ms, service == nullptr ? 0 : service->timeout_ms, latest);
}

/// One dispatch of the plugin's. Ownership: lives until it has begun; `done` gets the outcome, once.
class Dispatch {
 public:
  using Done = std::function<void(Message)>;

  Dispatch(std::shared_ptr<State> state, const Call* parent, const busbar_message& view, std::uint32_t timeout_ms)
      : state_(std::move(state)),
        parent_(parent != nullptr ? parent : Call::current()),
        message_(complete(Message::borrow(view))),
        fake_(state_->find_fake(message_.service_name())),
        service_(fake_.answer || state_->router == nullptr ? nullptr
                                                           : find_service(*state_->router, message_.service_name())),
        budget_(budget_of(*state_, parent_, message_, timeout_ms, service_)) {}

  Message blocking() {
    if (message_.halted()) return message_;  // C-D1
    const Call* running = Call::current();
    if (in_callback() || (running != nullptr && running->is_inline())) {
      return answered(message_, Response::error(code::kWouldBlock,
                                                in_callback() ? "a callback must not wait for a nested call"
                                                              : "an inline service must not wait for a nested call"));
    }
    record();
    if (too_deep()) return answered(message_, overloaded());
    if (service_ != nullptr) return ask_own();
    if (!fake_.answer) return answered(message_, nobody(message_.service_name()));
    const Response response = ask_fake();
    state_->advance_to(answered_at());
    return answered(message_, state_->now_us() < budget_.deadline_us ? response : timed_out());
  }

  void async(const Done& done) {
    if (message_.halted()) return done(message_);
    record();
    if (too_deep()) return done(answered(message_, overloaded()));
    if (service_ != nullptr) {
      std::make_shared<Call>(state_, *service_, message_, budget_, done)->serve(Purpose::serve);
      return;
    }
    if (!fake_.answer) return done(answered(message_, nobody(message_.service_name())));
    const Response response = ask_fake();
    const std::int64_t at = answered_at();
    Message outcome = answered(message_, at < budget_.deadline_us ? response : timed_out());
    if (at <= state_->now_us()) return done(std::move(outcome));
    state_->at(at, true, [done, outcome = std::move(outcome)] { done(outcome); });
  }

 private:
  // As a host does: C-M2, C-M3.
  Message complete(const Message& borrowed) const {
    Message message(borrowed);
    if (message.id().empty()) message.with_id(new_message_id().view());
    if (!is_message_id(message.id()) || !is_message_id(message.correlation_id()) ||
        !is_message_id(message.causation_id())) {
      message.respond(Response::error(code::kMalformed, "an id of the message is not 1 to 128 of [A-Za-z0-9_-]"));
    }
    if (message.logger_metadata().empty() && parent_ != nullptr)
      message.with_logger_metadata(parent_->message().logger_metadata());
    message.with_origin_node(state_->node);
    return message;
  }
  /// The message as the service that it is for sees it.
  Message as_received() const {
    Message message(message_);
    message.with_deadline_us(budget_.deadline_us);
    return message;
  }
  void record() {
    const std::int64_t left = std::max<std::int64_t>(budget_.deadline_us - state_->now_us(), 0);
    state_->record(as_received(), std::chrono::microseconds(left));
  }
  // Services that call each other without end, while the time stands still.
  static bool too_deep() {
    constexpr int kDeepest = 64;
    return Call::current() != nullptr && Call::current()->depth() >= kDeepest;
  }
  static Response overloaded() {
    return Response::error(code::kOverloaded, "services call each other without end");  // C-D14
  }
  Message ask_own() {
    const auto call = std::make_shared<Call>(state_, *service_, message_, budget_);
    call->serve(Purpose::serve);
    return call->wait() ? call->outcome() : answered(message_, timed_out());
  }
  Response ask_fake() const {
    if (state_->now_us() >= budget_.deadline_us) return timed_out();  // C-D8: not started
    try {
      return fake_.answer(as_received());
    } catch (const std::exception& e) {
      return Response::bad_rpc(badrpc::kExit, e.what());
    }
  }
  std::int64_t answered_at() const {
    const std::int64_t now = state_->now_us(), left = std::max<std::int64_t>(budget_.deadline_us - now, 0);
    return now + std::min<std::int64_t>(left, fake_.takes.count());
  }
  Response timed_out() const {
    return Response::service_timeout(message_.service_name(), message_.id(), budget_.timeout_ms);
  }

  const std::shared_ptr<State> state_;
  const Call* const parent_;
  const Message message_;
  const State::Fake fake_;
  const busbar_service* const service_;
  const Budget budget_;
};

/// The outcome of a nested dispatch, as the plugin holds it.
struct Result {
  explicit Result(Message&& outcome) : message(std::move(outcome)), view(message.c_view(response)) {}
  Message message;
  busbar_response response{};
  busbar_message view;
};

}  // namespace busbar::kit::detail
