#include "dispatch/waits.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <utility>

#include "dispatch/call.hpp"

namespace busbar::host {

namespace {

// What others must be asked about waits for that: most places come free sooner.
constexpr Nanos kFirstLook = kMillisecond;
// An answer may have been lost, or a gate have been closed for a while.
constexpr Nanos kLookAgain = kSecond;
// Where many are due, others have their turn meanwhile.
constexpr Nanos kPause = kMillisecond;

constexpr std::array kAllPlaces = {Call::Place::service, Call::Place::plugin};

// Shows `visit` each call that keeps a place at the gate busy until `waiting` has ended: its link, or null for
// `waiting` itself. Of a caller that waits no more the places come free without it.
template <class Visit>
void for_each_holder(const Call& waiting, const Gate& gate, Visit&& visit) {
  if (waiting.keeps_place_at(gate)) visit(waiting, nullptr);
  if (waiting.caller_gone()) return;
  for (const ChainLink* link = waiting.callers(); link != nullptr; link = link->above.get()) {
    for (std::size_t i = 0; i < kPlaces; ++i) {
      if (link->gates[i] == &gate && link->call->has_place(kAllPlaces[i])) visit(*link->call, link);
    }
  }
}

std::uint32_t calls_from(const ChainLink* link) noexcept {
  std::uint32_t calls = 0;
  for (; link != nullptr; link = link->above.get()) calls += link->call != nullptr ? 1 : 0;
  return calls;
}

bool is_asked_for_by(const Call& waiting, const SentCall& call) noexcept {
  if (waiting.callers() == nullptr) return false;
  const ChainLink& top = top_of(*waiting.callers());
  return top.call == nullptr && top.attempt == call.attempt && top.node == call.from &&
         top.message_id == call.message_id;
}

}  // namespace

// -------------------------------------------------------------------------------------------------- beginning and end

Waits::Row& Waits::add(Call& call, Gate* gate) {
  Row row;
  row.number = ++last_number_;
  row.call = &call;
  row.at = gate;
  row.service = call.message().service_name();
  row.message_id = call.message_id();
  rows_.push_back(std::move(row));
  return rows_.back();
}

Waits::Row* Waits::find(std::uint64_t number) noexcept {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& one) { return one.number == number; });
  return row == rows_.end() ? nullptr : &*row;
}

void Waits::remove(const Call& call) noexcept {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& one) { return one.call == &call; });
  if (row == rows_.end()) return;
  std::swap(*row, rows_.back());
  rows_.pop_back();
}

Gate::Entry Waits::enter(Call& call, Gate& gate, Nanos now, CallList& gone, Circle& circle) noexcept {
  if (gate.enter_free()) return Gate::Entry::kIn;
  const MutexLock lock(mutex_);
  try {
    circle = closed_by(add(call, &gate), now);
  } catch (const std::bad_alloc&) {
    remove(call);
    return Gate::Entry::kFull;
  }
  const Gate::Entry entry = circle.empty() ? enter_noted(call, gate, now, gone) : Gate::Entry::kStuck;
  if (entry != Gate::Entry::kWaits) remove(call);
  return entry;
}

Gate::Entry Waits::enter_noted(Call& call, Gate& gate, Nanos now, CallList& gone) noexcept {
  call.is_among_waits(true);  // before the gate has it: whoever gets it from there looks for this
  const Gate::Entry entry = gate.enter(call, now, gone);
  if (entry == Gate::Entry::kWaits) {
    Row& row = rows_.back();
    plan(row, row.look_at);
  } else {
    call.is_among_waits(false);
  }
  return entry;
}

void Waits::end(Call& call) noexcept {
  if (!call.is_among_waits()) return;
  const MutexLock lock(mutex_);
  call.is_among_waits(false);
  remove(call);
}

Waits::Elsewhere::Elsewhere(Waits& waits, Call& call) noexcept : waits_(waits), call_(call) {
  if (call.callers() == nullptr) [[likely]]
    return;
  const MutexLock lock(waits_.mutex_);
  try {
    waits_.add(call, nullptr);
  } catch (const std::bad_alloc&) {
    // Not noted.
  }
}

Waits::Elsewhere::~Elsewhere() {
  if (call_.callers() == nullptr) [[likely]]
    return;
  const MutexLock lock(waits_.mutex_);
  waits_.remove(call_);
}

// ---------------------------------------------------------------------------------------------------- who waits for
// whom

void Waits::Reach::add(const Row& row) {
  if (std::find(rows.begin(), rows.end(), &row) != rows.end()) return;
  rows.push_back(&row);
  if (row.at == nullptr) {
    leads_elsewhere = true;
  } else if (std::find(gates.begin(), gates.end(), row.at) == gates.end()) {
    gates.push_back(row.at);
  }
}

// Whether a place will come free without any of those that can be reached; else they are all in `reach`.
bool Waits::has_place_to_come(const Gate& gate, Reach& reach) const {
  if (gate.is_closed() || gate.max_running() == 0) return true;  // not for long, whoever is inside
  std::vector<const Call*> holders;
  for (const Row& row : rows_) {
    for_each_holder(*row.call, gate, [&](const Call& holder, const ChainLink*) {
      if (std::find(holders.begin(), holders.end(), &holder) == holders.end()) holders.push_back(&holder);
      reach.add(row);
    });
  }
  const std::uint32_t running = gate.running();
  return running < gate.max_running() || holders.size() < running;
}

// Whether any of those that `reach` begins with will go on without the others, as far as this node knows.
bool Waits::can_go_on(Reach& reach) const {
  for (std::size_t i = 0; i < reach.gates.size(); ++i) {
    if (has_place_to_come(*reach.gates[i], reach)) return true;
  }
  return reach.rows.empty();
}

// The circle, if all of it is here. Otherwise the row says when it is to be looked at.
Circle Waits::closed_by(Row& row, Nanos now) {
  Reach reach;
  reach.add(row);
  const bool moves = can_go_on(reach);
  row.is_new = !moves && reach.leads_elsewhere;
  row.look_at = now + (row.is_new ? kFirstLook : kLookAgain);
  if (moves || reach.leads_elsewhere) return {};
  constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
  WaitGraph graph(kAny, kAny);
  graph.add(node_, view(reach));
  return graph.circle_through({node_, row.number});
}

WaitView Waits::view(const Row& row, const Reach& reach) const {
  WaitView view;
  view.number = row.number;
  view.is_new = row.is_new;
  for (const ChainLink* link = row.call->callers(); link != nullptr; link = link->above.get()) {
    if (link->call != nullptr) view.calls.push_back({link->service, node_, link->message_id});
  }
  std::reverse(view.calls.begin(), view.calls.end());
  if (row.at == nullptr) {
    view.sent = row.call->sent_as(node_, row.message_id);
    return view;
  }
  view.calls.push_back({row.service, node_, row.message_id});
  for (const Row* other : reach.rows) {
    for_each_holder(*other->call, *row.at, [&](const Call&, const ChainLink* link) {
      view.holders.push_back({other->number, calls_from(link == nullptr ? other->call->callers() : link->above.get())});
    });
  }
  return view;
}

// No waits where one of them is between two nodes: it goes on.
WaitsView Waits::view(const Reach& reach) const {
  WaitsView all;
  for (const Row* row : reach.rows) {
    all.waits.push_back(view(*row, reach));
    if (row->at == nullptr && !all.waits.back().sent) return {};
  }
  return all;
}

WaitsView Waits::view_of(const SentCall& call) const {
  const MutexLock lock(mutex_);
  Reach reach;
  for (const Row& row : rows_) {
    if (is_asked_for_by(*row.call, call)) reach.add(row);
  }
  const std::size_t asked_for = reach.rows.size();
  if (can_go_on(reach) || reach.rows.size() > kMostWaitsTold) return {};
  WaitsView all = view(reach);
  for (std::size_t i = 0; i < asked_for && i < all.waits.size(); ++i) all.first.push_back(all.waits[i].number);
  return all;
}

WaitsView Waits::view_of(std::uint64_t number) const {
  const MutexLock lock(mutex_);
  const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& one) { return one.number == number; });
  if (row == rows_.end() || row->at == nullptr) return {};
  Reach reach;
  reach.add(*row);
  if (can_go_on(reach) || reach.rows.size() > kMostWaitsTold) return {};
  return view(reach);
}

// ------------------------------------------------------------------------------------------------------- looking again

void Waits::plan(Row& row, Nanos look_at) noexcept {
  row.look_at = look_at;
  if (look_at >= next_look_.load(std::memory_order_relaxed)) return;
  next_look_.store(look_at, std::memory_order_relaxed);
  supervisor_.wake_at(look_at);
}

std::vector<Waits::Due> Waits::take_due(Nanos now, std::size_t most) {
  std::vector<Due> due;
  due.reserve(most);
  const MutexLock lock(mutex_);
  Nanos next = kNever;
  for (Row& row : rows_) {
    if (row.look_at <= now && due.size() < most) {
      due.push_back({row.number, row.is_new});
      row.look_at = kNever;
    }
    next = std::min(next, row.look_at <= now ? now + kPause : row.look_at);
  }
  next_look_.store(next, std::memory_order_relaxed);
  return due;
}

void Waits::looked_at(std::uint64_t number, bool is_new, Nanos again) noexcept {
  const MutexLock lock(mutex_);
  Row* const row = find(number);
  if (row == nullptr) return;
  row->is_new = is_new;
  plan(*row, again);
}

Waits::Taken Waits::take_out(std::uint64_t number) noexcept {
  const MutexLock lock(mutex_);
  Row* const row = find(number);
  if (row == nullptr || row->at == nullptr || !row->at->take_out(*row->call)) return {};
  const Taken taken{row->call, row->at};
  taken.call->is_among_waits(false);
  remove(*taken.call);
  return taken;
}

}  // namespace busbar::host
