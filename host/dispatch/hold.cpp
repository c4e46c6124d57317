#include "dispatch/hold.hpp"

#include <algorithm>
#include <thread>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

namespace {

constexpr std::chrono::microseconds kLookAgain{100};
constexpr Nanos kMostToWait = kSecond;  // without anybody who arrives

Endpoint* find(Instance& instance, std::string_view service) noexcept {
  auto& endpoints = instance.endpoints();
  const auto found =
      std::find_if(endpoints.begin(), endpoints.end(), [&](const Endpoint& one) { return one.service() == service; });
  return found == endpoints.end() ? nullptr : &*found;
}

}  // namespace

Hold::Hold(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {
  const std::size_t most = instance_->dispatcher().most_waiting(BUSBAR_NO_LIMIT);
  instance_->gate().close(most);  // first: whoever has to pass it from now on finds it closed
  for (Endpoint& endpoint : instance_->endpoints()) endpoint.hold(most);
  registry::wait_for_readers();  // who enters after this sees it, and who has entered is counted
}

Hold::~Hold() {
  if (over_) return;
  CallList let_in;
  instance_->gate().open(let_in);
  Call::go_in(let_in, Call::Place::plugin);
  for (Endpoint& endpoint : instance_->endpoints()) {
    endpoint.let_go(let_in);
    Call::go_in(let_in, Call::Place::service);
  }
}

// Nobody who waits goes before the hold does, so the two numbers are equal only where nobody else is inside: in this
// order, as a call enters the instance before it waits, and waits at its service's gate before its plugin's.
std::size_t Hold::waiting() const noexcept {
  std::size_t waiting = instance_->gate().waiting();
  for (Endpoint& endpoint : instance_->endpoints()) waiting += endpoint.gate().waiting();
  return waiting;
}

std::uint64_t Hold::calls_inside() const noexcept {
  const std::size_t waiting = this->waiting();
  return instance_->calls_inside() - waiting;
}

bool Hold::wait_until_quiet(Nanos deadline) const {
  while (calls_inside() != 0 || instance_->callbacks_expected() != 0) {
    if (now_ns() >= deadline) return false;
    std::this_thread::sleep_for(kLookAgain);
  }
  return true;
}

// Until nobody is left who has entered before the services were another's: somebody may just be on his way to a gate.
// Who was refused may stay inside for longer, where another node is asked or its answer is kept; so it is not waited
// for those for ever. Should anybody have been on his way for that long, he is told when the plugin's time to drain is
// over.
template <class Do>
void Hold::empty(Do&& with_each) noexcept {
  over_ = true;
  Nanos until = now_ns() + kMostToWait;
  for (;;) {
    CallList taken;
    for (Endpoint& endpoint : instance_->endpoints()) endpoint.gate().take_waiting(taken);
    instance_->gate().take_waiting(taken);
    if (taken.empty()) {
      if (instance_->calls_inside() == 0 || now_ns() >= until) return;
      std::this_thread::sleep_for(kLookAgain);
    } else {
      until = now_ns() + kMostToWait;
    }
    while (Call* const call = taken.pop()) {
      instance_->dispatcher().waits().end(*call);
      with_each(*call);
    }
  }
}

void Hold::move_to(Instance& next) noexcept {
  empty([&](Call& call) { call.move_to(next, instance_); });
}

void Hold::refuse_all(const std::string& why) noexcept {
  empty([&](Call& call) { call.refuse(Response::bad_rpc(badrpc::kUnloaded, why)); });
}

void Call::go_in(CallList& let_in, Place place) noexcept {
  while (Call* const call = let_in.pop()) {
    call->dispatcher().waits().end(*call);
    call->take_place(place);
    call->admit(now_ns());
  }
}

void Call::move_to(Instance& next, std::shared_ptr<const Instance> before) noexcept {
  leave_places();
  Endpoint* const endpoint = find(next, this->endpoint()->service());
  const bool from_outside = ending_ == Ending::requester || wishes_.client() != nullptr;
  const bool can_be_had =
      endpoint != nullptr && (!from_outside || endpoint->visibility() == registry::Visibility::public_);
  if (!can_be_had) {  // as if it had come later
    return refuse(Response::service_unavailable(this->endpoint()->service()));
  }
  Instance& here = this->endpoint()->instance();
  next.enter();
  hide();
  moved_from_ = std::move(before);
  endpoint_.store(endpoint, std::memory_order_release);
  here.leave();
  admit(now_ns());
}

}  // namespace busbar::host
