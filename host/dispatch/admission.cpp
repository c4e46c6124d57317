// A call on its way to the pool, through the gates of its service and of its plugin, and out of them again.
#include <algorithm>
#include <new>
#include <string>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

namespace {

// What is full.
std::string what_is_full(Call::Place place, const Endpoint& endpoint, const Gate& gate) {
  const std::string whose =
      place == Call::Place::service ? "service \"" + endpoint.service() : "plugin \"" + endpoint.router();
  if (gate.is_closed()) return whose + "\" is being replaced, and as many calls as the pool lets wait do so already";
  return whose + "\" has its " + std::to_string(gate.max_running()) + " calls running (max_running)";
}

// The same where nobody more can wait for it.
std::string why_not(Call::Place place, const Endpoint& endpoint, const Gate& gate) {
  const std::string full = what_is_full(place, endpoint, gate);
  return gate.is_closed() ? full : full + " and its " + std::to_string(gate.max_waiting()) + " waiting (max_queued)";
}

// Calls that were let in by one that went, on this thread. One that is let in may be refused further on, which lets in
// the next: they go on in turn, not each inside the one before.
thread_local constinit CallList let_in;
thread_local constinit bool sending_on = false;

void send_on(Call& call) noexcept {
  let_in.push(call);
  if (sending_on) return;
  sending_on = true;
  while (Call* const next = let_in.pop()) next->admit(now_ns());
  sending_on = false;
}

}  // namespace

void Call::admit(Nanos now) noexcept {
  show();
  if (endpoint()->is_limited() && !pass_gates(now)) return;
  dispatcher().submit(*this, now);
}

// False: it waits, or was refused; it is no longer ours.
bool Call::pass_gates(Nanos now) noexcept {
  for (const Place place : {Place::service, Place::plugin}) {
    Gate& gate = this->gate(place);
    if (!gate.limits() || has_place(place)) continue;
    if (passes(gate) || passes_held(gate, place)) {
      gate.enter_nested();
      take_place(place);
      continue;
    }
    CallList gone;
    Circle circle;
    const Gate::Entry entry =
        may_hold_gates() ? dispatcher().waits().enter(*this, gate, now, gone, circle) : gate.enter(*this, now, gone);
    if (entry == Gate::Entry::kIn) take_place(place);
    while (Call* const late = gone.pop()) {
      late->dispatcher().waits().end(*late);
      late->refuse_as_late();
    }
    if (entry == Gate::Entry::kFull || entry == Gate::Entry::kStuck) refuse_at(place, entry, circle);
    if (entry != Gate::Entry::kIn) return false;
  }
  return true;
}

void Call::refuse_at(Place place, Gate::Entry entry, const Circle& circle) noexcept {
  if (entry == Gate::Entry::kStuck) return refuse_in(circle, gate(place));
  try {
    refuse(Response::error(code::kOverloaded, why_not(place, *endpoint(), gate(place))));
  } catch (const std::bad_alloc&) {
    refuse(Response::error(code::kOverloaded, {}));
  }
}

void Call::refuse_in(const Circle& circle, const Gate& at) noexcept {
  const Place place = &gate(Place::service) == &at ? Place::service : Place::plugin;
  try {
    Response why = refusal_of(circle, what_is_full(place, *endpoint(), at));
    dispatcher().report_circle(*this, why.text());
    refuse(std::move(why));
  } catch (const std::bad_alloc&) {
    refuse(Response::error(code::kWouldBlock, {}));
  }
}

void Call::is_caused_by(const Call* parent) noexcept {
  const Endpoint* const causing = parent == nullptr ? nullptr : parent->endpoint();
  is_nested_ = causing != nullptr && &causing->instance() == &endpoint()->instance();
}

// What a call inside the plugin waits for must not wait until that one has ended.
bool Call::passes_held(const Gate& gate, Place place) const noexcept {
  return is_nested_ && gate.is_closed() && (place == Place::plugin || gate.max_running() > gate.running());
}

Gate& Call::gate(Place place) const noexcept {
  return place == Place::service ? endpoint()->gate() : endpoint()->instance().gate();
}

void Call::take_place(Place place) noexcept {
  places_.fetch_or(static_cast<std::uint8_t>(place), std::memory_order_acq_rel);
}

void Call::give_places_back() noexcept {
  const std::uint8_t places = places_.exchange(0, std::memory_order_acq_rel);
  for (const Place place : {Place::plugin, Place::service}) {
    if ((places & static_cast<std::uint8_t>(place)) == 0) continue;
    if (Call* const next = gate(place).leave()) {
      next->dispatcher().waits().end(*next);
      next->take_place(place);
      send_on(*next);
    }
  }
}

Call::Held Call::held() const {
  const std::uint32_t state = state_.load(std::memory_order_acquire);
  const bool answered = (state & kAnswered) != 0;
  if (answered && (state & kRunning) == 0) return {};
  auto link = std::make_shared<ChainLink>();
  link->above = held_by_callers_.callers;
  link->service = endpoint()->service();
  link->message_id = message_id();
  link->call = this;
  std::size_t i = 0;
  for (const Place place : {Place::service, Place::plugin})
    link->gates[i++] = has_place(place) ? &gate(place) : nullptr;
  // Only what a handler waits for on its own thread goes in beside it; one that has answered waits for nothing.
  return {std::move(link), current() == this && !answered};
}

bool Call::passes(const Gate& gate) const noexcept {
  if (!held_by_callers_.passes) return false;
  for (const ChainLink* link = callers(); link != nullptr; link = link->above.get()) {
    if (std::find(link->gates.begin(), link->gates.end(), &gate) != link->gates.end()) return true;
  }
  return false;
}

bool Call::keeps_place_at(const Gate& gate) const noexcept {
  const auto keeps = [&](Place place) { return has_place(place) && &this->gate(place) == &gate; };
  return keeps(Place::service) || keeps(Place::plugin);
}

}  // namespace busbar::host
