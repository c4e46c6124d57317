// A call as others see it who hold no part of it: what goes on, and the end of what does not.
#include <sched.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "dispatch/call.hpp"
#include "dispatch/call_slab.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

// Either who pins the slot sees that there is nothing to look at, or who hides it sees that it is pinned, and waits: of
// two stores and the loads behind them, in one order for all threads, one is seen.
class Call::Pin {
 public:
  explicit Pin(Call& call) noexcept : call_(call) {
    while (call_.pinned_.exchange(true, std::memory_order_seq_cst)) sched_yield();
    inside_ = call_.inside_.load(std::memory_order_seq_cst);
  }
  ~Pin() { call_.pinned_.store(false, std::memory_order_release); }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  /// Null: it is hidden, and nothing of it may be read.
  const Instance* inside() const noexcept { return inside_; }

  /// Takes a reference to the call, if it has not ended.
  bool retain() const noexcept {
    std::uint32_t references = call_.references_.load(std::memory_order_relaxed);
    while (references != 0) {
      if (call_.references_.compare_exchange_weak(references, references + 1, std::memory_order_acq_rel)) return true;
    }
    return false;
  }

 private:
  Call& call_;
  const Instance* inside_;
};

void Call::hide() noexcept {
  if (inside_.load(std::memory_order_relaxed) == nullptr) return;
  inside_.store(nullptr, std::memory_order_seq_cst);
  while (pinned_.load(std::memory_order_seq_cst)) sched_yield();
}

// ---------------------------------------------------------------------------------------------------------- ending it

std::optional<EndedInside> Call::end_inside(const Instance& instance, Nanos now) {
  if (inside_.load(std::memory_order_relaxed) != &instance) return std::nullopt;
  std::optional<EndedInside> ended;
  Response response;  // made before it is claimed: there may be no memory for it
  const auto progress = progress_.load(std::memory_order_relaxed);
  {
    const Pin pin(*this);
    if (pin.inside() != &instance) return std::nullopt;
    const Nanos begun = deadline_ - Nanos{timeout_ms_} * kMillisecond;
    ended = {endpoint()->service(), std::string(message_id()), std::max<Nanos>(now - begun, 0),
             progress == CallRow::State::deferred};
    response = Response::bad_rpc(badrpc::kUnloaded, "plugin \"" + instance.facts().plugin +
                                                        "\" was replaced or taken away, and its service \"" +
                                                        ended->service + "\" has not answered since");
    if (!pin.retain()) return std::nullopt;
  }
  if (!claim_answer()) {
    ended.reset();
  } else {
    response_ = std::move(response);
    assigns_changed_ = false;
    if (progress == CallRow::State::running && !runs_inline_) make_up_for();
    if ((state_.load(std::memory_order_acquire) & kRunning) == 0) leave_places();
    deliver();
  }
  release();
  return ended;
}

// First the thread, then the mark: who ends the handler takes back what is marked.
void Call::make_up_for() noexcept {
  if (!dispatcher().begin_making_up()) return;
  if ((state_.fetch_or(kMadeUpFor, std::memory_order_acq_rel) & kRunning) == 0) dispatcher().end_making_up();
}

std::vector<EndedInside> Dispatcher::end_calls_inside(const Instance& instance, std::size_t most, std::size_t& count) {
  std::vector<EndedInside> ended;
  count = 0;
  CallSlab::instance().for_each([&](Call& call) {
    auto one = call.end_inside(instance, now_ns());
    if (!one) return;
    ++count;
    if (ended.size() < most) ended.push_back(std::move(*one));
  });
  return ended;
}

// ------------------------------------------------------------------------------------------------------ looking at it

std::string_view name_of(CallRow::State state) noexcept {
  switch (state) {
    case CallRow::State::queued:
      return "queued";
    case CallRow::State::running:
      return "running";
    case CallRow::State::deferred:
      return "deferred";
    case CallRow::State::sent:
      return "sent";
  }
  return "unknown";
}

std::optional<CallRow> Call::look(const Dispatcher& whose, Nanos now) {
  if (dispatcher_.load(std::memory_order_relaxed) != &whose) return std::nullopt;
  if (is_number(attempt_.load(std::memory_order_relaxed))) return look_elsewhere(whose, now);
  if (inside_.load(std::memory_order_relaxed) == nullptr) return std::nullopt;
  const Pin pin(*this);
  if (pin.inside() == nullptr || dispatcher_.load(std::memory_order_relaxed) != &whose) return std::nullopt;
  return look_here(now);
}

std::pair<const CallStats*, CallRow::State> Call::stand(const Dispatcher& whose) noexcept {
  const auto nowhere = std::pair<const CallStats*, CallRow::State>{nullptr, CallRow::State::queued};
  if (inside_.load(std::memory_order_relaxed) == nullptr) return nowhere;
  const Pin pin(*this);
  if (pin.inside() == nullptr || dispatcher_.load(std::memory_order_relaxed) != &whose) return nowhere;
  return {endpoint()->stats(), progress_.load(std::memory_order_relaxed)};
}

std::optional<CallRow> Call::look_here(Nanos now) const {
  CallRow row = this->row(now);
  row.state = progress_.load(std::memory_order_relaxed);
  if (runs_inline_) row.running = std::exchange(row.queued, 0);
  if (row.state == CallRow::State::deferred) {
    if (const std::uint64_t stopped = stopped_.load(std::memory_order_relaxed); stopped != 0)
      row.deferred = std::min(counted_nanos(stopped, ticks()), row.running);
  }
  row.service = endpoint()->service();
  row.node = dispatcher().node();
  row.caller_gone = caller_gone();
  return row;
}

// Who ends the attempt, or gives it up, waits until this is over; and the call does not end before.
std::optional<CallRow> Call::look_elsewhere(const Dispatcher& whose, Nanos now) {
  std::uint64_t attempt = attempt_.load(std::memory_order_seq_cst);
  if (!is_number(attempt) || !attempt_.compare_exchange_strong(attempt, kMoving, std::memory_order_seq_cst)) {
    return std::nullopt;
  }
  std::optional<CallRow> found;
  try {
    if (purpose_ != Purpose::query && dispatcher_.load(std::memory_order_relaxed) == &whose) {
      found = row(now);
      found->state = CallRow::State::sent;
      found->running = std::exchange(found->queued, 0);
      found->service = message_->service_name();
      found->node = moved_to_ ? moved_to_->name() : peer_->name();
      found->caller_gone = (state_.load(std::memory_order_acquire) & kGone) != 0;
    }
  } catch (...) {
    attempt_.store(attempt, std::memory_order_seq_cst);
    throw;
  }
  attempt_.store(attempt, std::memory_order_seq_cst);
  return found;
}

CallRow Call::row(Nanos now) const {
  CallRow row;
  row.message_id = message_id();
  row.correlation_id = correlation_id();
  row.causation_id = causation_id();  // its message is there: who takes it away hides the call first
  const Requester* caller = ending_ == Ending::requester ? requester_.get() : wishes_.client();
  row.caller = caller != nullptr ? std::string(caller->name()) : "local";
  row.age = std::max<Nanos>(now - (deadline_ - Nanos{timeout_ms_} * kMillisecond), 0);
  row.left = std::max<Nanos>(deadline_ - now, 0);
  const std::uint64_t at = ticks(), from = begun(), to = started();
  row.queued = counted_nanos(from, to != 0 ? to : at);
  if (to != 0) row.running = counted_nanos(to, at);
  return row;
}

std::vector<ServiceStats> Dispatcher::service_stats() const {
  std::vector<ServiceStats> all;
  std::unordered_map<const CallStats*, std::size_t> place;
  for (StatsBook::Row& row : stats_.rows()) {
    place.emplace(row.stats.get(), all.size());
    all.push_back({std::move(row.key), row.stats->read()});
  }
  CallSlab::instance().for_each([&](Call& call) {
    const auto [stats, state] = call.stand(*this);
    const auto found = place.find(stats);
    if (found == place.end()) return;
    ServiceStats& of = all[found->second];
    if (state == CallRow::State::queued) ++of.queued;
    if (state == CallRow::State::running) ++of.running;
    if (state == CallRow::State::deferred) ++of.deferred;
  });
  return all;
}

std::vector<CallRow> Dispatcher::calls() const {
  std::vector<CallRow> rows;
  CallSlab::instance().for_each([&](Call& call) {
    if (auto row = call.look(*this, now_ns())) rows.push_back(std::move(*row));
  });
  std::sort(rows.begin(), rows.end(), [](const CallRow& a, const CallRow& b) { return a.age > b.age; });
  return rows;
}

}  // namespace busbar::host
