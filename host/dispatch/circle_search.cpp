#include "dispatch/circle_search.hpp"

#include <busbar/wire/admin.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include "dispatch/call.hpp"
#include "dispatch/dispatcher.hpp"

namespace busbar::host {

namespace {

constexpr std::size_t kMostAsked = 64;
constexpr std::uint32_t kTimeoutMs = 1'000;
constexpr Nanos kLookAgain = kSecond;
constexpr Nanos kGiveWay = 5 * kMillisecond;

// What another node has answered; no waits: nothing that could be read.
WaitsView read(const Response& outcome) {
  try {
    const auto answer = outcome.succeeded() ? outcome.value_as<wire::AdminAnswer>() : wire::AdminAnswer{};
    return answer.document ? cbor::decode<WaitsView>(*answer.document) : WaitsView{};
  } catch (const std::exception&) {
    return {};
  }
}

// Adds the calls that a view of `node` leads to. False: it is none that is followed.
bool add_sent(const std::string& node, const WaitsView& view, std::set<SentCall>& calls) {
  if (view.waits.empty() || view.waits.size() > kMostWaitsTold) return false;
  for (const WaitView& wait : view.waits) {
    if (!wait.sent) continue;
    if (wait.sent->from != node) return false;
    calls.insert(*wait.sent);
  }
  return true;
}

}  // namespace

CircleSearch::CircleSearch(Dispatcher& dispatcher, Waits::Due due, std::atomic<std::size_t>& under_way)
    : dispatcher_(dispatcher), due_(due), under_way_(under_way) {
  under_way_.fetch_add(1, std::memory_order_relaxed);
}

CircleSearch::~CircleSearch() { under_way_.fetch_sub(1, std::memory_order_relaxed); }

void CircleSearch::start() noexcept try { look_at_own(); } catch (const std::bad_alloc&) {
  look_again(false, kLookAgain);
}

void CircleSearch::look_at_own() {
  own_ = dispatcher_.waits().view_of(due_.number);
  std::set<SentCall> calls;
  if (!add_sent(dispatcher_.node(), own_, calls)) return look_again(false, kLookAgain);
  for (const auto& [call, told] : told_before_) calls.insert(call);  // at the same time, as they are known
  ask(calls);
}

void CircleSearch::ask(const std::set<SentCall>& calls) {
  if (told_.size() + calls.size() > kMostAsked) return look_again(false, kLookAgain);
  asked_.clear();
  for (const SentCall& call : calls) asked_.push_back({call, {}});
  missing_.store(asked_.size() + 1, std::memory_order_relaxed);
  for (Asked& one : asked_) ask(one);
  one_is_there();  // this function's own, so that it is the last to use them
}

void CircleSearch::ask(Asked& one) noexcept {
  try {
    if (one.call.to == dispatcher_.node()) {
      one.told = dispatcher_.waits().view_of(one.call);
    } else {
      wire::AdminRequest question;
      question.verb = wire::admin_verb::kWaits;
      question.request = wire::item_of(Payload::of(one.call));
      const auto answered = [self = shared_from_this(), &one](const Message& outcome) {
        one.told = read(outcome.response());
        self->one_is_there();
      };
      return dispatcher_.query_async(one.call.to, Payload::of(question), answered, kTimeoutMs);
    }
  } catch (const std::exception&) {
    // Nothing is told.
  }
  one_is_there();
}

void CircleSearch::one_is_there() noexcept try {
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) all_are_there();
} catch (const std::bad_alloc&) {
  look_again(false, kLookAgain);
}

void CircleSearch::all_are_there() {
  std::set<SentCall> next;
  for (Asked& one : asked_) {
    if (!add_sent(one.call.to, one.told, next)) return look_again(false, kLookAgain);
    told_.emplace(one.call, std::move(one.told));
  }
  for (const auto& [call, told] : told_) next.erase(call);
  if (!next.empty()) return ask(next);
  second_ ? seen_twice() : seen_once();
}

void CircleSearch::seen_once() {
  second_ = true;
  own_before_ = std::exchange(own_, {});
  told_before_ = std::exchange(told_, {});
  look_at_own();
}

void CircleSearch::seen_twice() {
  if (!(own_ == own_before_) || told_ != told_before_) return look_again(false, kLookAgain);
  WaitGraph graph;
  bool fits = graph.add(dispatcher_.node(), own_);
  for (const auto& [call, told] : told_) fits = fits && graph.add(call, told);
  const Circle circle = fits ? graph.circle_through({dispatcher_.node(), due_.number}) : Circle{};
  if (circle.empty()) return look_again(false, kLookAgain);
  if (graph.is_to_be_opened_by({dispatcher_.node(), due_.number}, due_.is_new)) return open(circle);
  look_again(due_.is_new, due_.is_new ? kGiveWay : kLookAgain);
}

void CircleSearch::open(const Circle& circle) noexcept {
  const Waits::Taken taken = dispatcher_.waits().take_out(due_.number);
  if (taken.call != nullptr) taken.call->refuse_in(circle, *taken.from);
}

void CircleSearch::look_again(bool is_new, Nanos in) noexcept {
  dispatcher_.waits().looked_at(due_.number, is_new, now_ns() + in);
}

}  // namespace busbar::host
