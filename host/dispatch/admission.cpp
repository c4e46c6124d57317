// A call on its way to the pool, through the gates of its service and of its plugin, and out of them again.
#include <algorithm>
#include <new>
#include <string>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

namespace {

// Why nobody more is let in.
std::string why_not(Gate::Entry entry, Call::Place place, const Endpoint& endpoint, const Gate& gate) {
  const std::string whose =
      place == Call::Place::service ? "service \"" + endpoint.service() : "plugin \"" + endpoint.router();
  if (gate.is_closed()) return whose + "\" is being replaced, and as many calls as the pool lets wait do so already";
  const std::string running =
      whose + "\" has its " + std::to_string(gate.max_running()) + " calls running (max_running)";
  if (entry == Gate::Entry::kStuck) return running + ", and they wait for what causes this one";
  return running + " and its " + std::to_string(gate.max_waiting()) + " waiting (max_queued)";
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
    const Gate::Entry entry =
        may_hold_gates() ? dispatcher().waits().enter(*this, gate, now, gone) : gate.enter(*this, now, gone);
    if (entry == Gate::Entry::kIn) take_place(place);
    while (Call* const late = gone.pop()) {
      late->dispatcher().waits().end(*late);
      late->refuse_as_late();
    }
    if (entry == Gate::Entry::kFull || entry == Gate::Entry::kStuck) refuse_at(place, entry);
    if (entry != Gate::Entry::kIn) return false;
  }
  return true;
}

void Call::refuse_at(Place place, Gate::Entry entry) noexcept {
  try {
    refuse(Response::error(code::kOverloaded, why_not(entry, place, *endpoint(), gate(place))));
  } catch (const std::bad_alloc&) {
    refuse(Response::error(code::kOverloaded, {}));
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

bool Call::has_place(Place place) const noexcept {
  return (places_.load(std::memory_order_acquire) & static_cast<std::uint8_t>(place)) != 0;
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
  // Only what a handler waits for on its own thread goes in beside it; one that has answered waits for nothing.
  Held held{held_by_callers_.gates, current() == this && !answered};
  for (const Place place : {Place::service, Place::plugin}) {
    if (has_place(place)) held.gates.push_back(&gate(place));
  }
  return held;
}

bool Call::passes(const Gate& gate) const noexcept {
  const auto& gates = held_by_callers_.gates;
  return held_by_callers_.passes && std::find(gates.begin(), gates.end(), &gate) != gates.end();
}

std::size_t Call::places_kept_at(const Gate& gate) const noexcept {
  const auto own = [&](Place place) { return has_place(place) && &this->gate(place) == &gate ? 1U : 0U; };
  const auto& gates = held_by_callers_.gates;
  const auto callers = static_cast<std::size_t>(std::count(gates.begin(), gates.end(), &gate));
  // Those of a caller that waits no more come free without this call.
  return own(Place::service) + own(Place::plugin) + (callers != 0 && !caller_gone() ? callers : 0);
}

}  // namespace busbar::host
