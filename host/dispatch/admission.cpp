// A call on its way to the pool, through the gates of its service and of its plugin, and out of them again.
#include <algorithm>
#include <new>
#include <string>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

namespace {

std::string full(Call::Place place, const Endpoint& endpoint, const Gate& gate) {
  const std::string running = std::to_string(gate.max_running());
  const std::string waiting = std::to_string(gate.max_waiting());
  const std::string whose =
      place == Call::Place::service ? "service \"" + endpoint.service() : "plugin \"" + endpoint.router();
  return whose + "\" has its " + running + " calls running (max_running) and its " + waiting + " waiting (max_queued)";
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
  if (endpoint_->is_limited() && !pass_gates(now)) return;
  dispatcher().submit(*this, now);
}

// False: it waits, or was refused; it is no longer ours.
bool Call::pass_gates(Nanos now) noexcept {
  for (const Place place : {Place::service, Place::plugin}) {
    Gate& gate = this->gate(place);
    if (!gate.limits() || has_place(place)) continue;
    if (std::find(waited_for_at_.begin(), waited_for_at_.end(), &gate) != waited_for_at_.end()) {
      gate.enter_nested();
      take_place(place);
      continue;
    }
    CallList gone;
    const Gate::Entry entry = gate.enter(*this, now, gone);
    if (entry == Gate::Entry::kIn) take_place(place);
    while (Call* const late = gone.pop()) {
      late->refuse_as_late();
    }
    if (entry == Gate::Entry::kFull) refuse_as_full(place);
    if (entry != Gate::Entry::kIn) return false;
  }
  return true;
}

void Call::refuse_as_full(Place place) noexcept {
  try {
    refuse(Response::error(code::kOverloaded, full(place, *endpoint_, gate(place))));
  } catch (const std::bad_alloc&) {
    refuse(Response::error(code::kOverloaded, {}));
  }
}

Gate& Call::gate(Place place) const noexcept {
  return place == Place::service ? endpoint_->gate() : endpoint_->instance().gate();
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
      next->take_place(place);
      send_on(*next);
    }
  }
}

std::vector<const Gate*> Call::gates_held() const {
  // Of a handler that waits, on its own thread. One that has answered goes on beside its caller, which waits no more.
  if (current() != this || (state_.load(std::memory_order_acquire) & kAnswered) != 0) return {};
  std::vector<const Gate*> gates = waited_for_at_;
  for (const Place place : {Place::service, Place::plugin}) {
    if (has_place(place)) gates.push_back(&gate(place));
  }
  return gates;
}

}  // namespace busbar::host
