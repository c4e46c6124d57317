#include "dispatch/circle.hpp"

#include <algorithm>
#include <deque>
#include <optional>

namespace busbar::host {

namespace {

constexpr std::size_t kMostShown = 12;
constexpr std::size_t kMostNamed = 64;

std::string in_words(const NamedCall& call) { return call.service + "@" + call.node + " (" + call.message_id + ")"; }

}  // namespace

std::string in_words(const Circle& circle) {
  std::string words;
  for (std::size_t i = 0; i < circle.size(); ++i) {
    if (circle.size() > kMostShown && i == kMostShown - 1) {
      words += std::to_string(circle.size() - kMostShown) + " more -> ";
      i = circle.size() - 1;
    }
    words += in_words(circle[i]) + " -> ";
  }
  return circle.empty() ? words : words + in_words(circle.front());
}

Response refusal_of(const Circle& circle, const std::string& what) {
  const Circle named(circle.begin(), circle.begin() + static_cast<std::ptrdiff_t>(std::min(circle.size(), kMostNamed)));
  return Response::error(code::kWouldBlock, what + ", and they wait for this one: " + in_words(circle),
                         Payload::of(named));
}

bool WaitGraph::add(const std::string& node, const WaitsView& view) {
  for (const WaitView& wait : view.waits) {
    const auto [known, is_new] = waits_.try_emplace({node, wait.number}, wait);
    if (!is_new && !(known->second == wait)) return false;
    if (!is_new) continue;
    calls_ += wait.calls.size();
    if (wait.calls.empty() && !wait.sent) return false;
    if (waits_.size() > most_waits_ || calls_ > most_calls_) return false;
  }
  return true;
}

bool WaitGraph::add(const SentCall& call, const WaitsView& view) {
  if (!add(call.to, view)) return false;
  std::vector<WaitKey>& first = sent_[call];
  for (const std::uint64_t number : view.first) first.push_back({call.to, number});
  return first.size() <= most_waits_;
}

bool WaitGraph::is_to_be_opened_by(const WaitKey& wait, bool is_new) const {
  return std::none_of(waits_.begin(), waits_.end(), [&](const auto& row) {
    const auto& [key, other] = row;
    if (other.sent || key == wait) return false;
    return is_new ? other.is_new && key < wait : other.is_new || key < wait;
  });
}

std::vector<WaitGraph::Step> WaitGraph::steps_from(const WaitKey& key) const {
  std::vector<Step> steps;
  const auto add = [&](const WaitKey& to, std::size_t first) {
    const auto wait = waits_.find(to);
    if (wait != waits_.end() && (first < wait->second.calls.size() || wait->second.sent)) steps.push_back({to, first});
  };
  const WaitView& wait = waits_.at(key);
  for (const PlaceHolder& holder : wait.holders) add({key.node, holder.wait}, holder.first);
  if (!wait.sent) return steps;
  const auto there = sent_.find(*wait.sent);
  if (there == sent_.end()) return steps;
  for (const WaitKey& to : there->second) add(to, 0);
  return steps;
}

Circle WaitGraph::circle_through(const WaitKey& start) const {
  if (!waits_.contains(start)) return {};
  struct Came {
    WaitKey from;
    std::size_t first;
  };
  std::map<WaitKey, Came> seen;
  std::deque<WaitKey> next{start};
  while (!next.empty() && !seen.contains(start)) {
    const WaitKey key = next.front();
    next.pop_front();
    for (const Step& step : steps_from(key)) {
      if (seen.try_emplace(step.to, Came{key, step.first}).second) next.push_back(step.to);
    }
  }
  if (!seen.contains(start)) return {};
  Circle circle;  // from its end
  for (WaitKey at = start;;) {
    const Came& came = seen.at(at);
    const std::vector<NamedCall>& calls = waits_.at(at).calls;
    const auto first = static_cast<std::ptrdiff_t>(std::min(came.first, calls.size()));
    circle.insert(circle.begin(), calls.begin() + first, calls.end());
    at = came.from;
    if (at == start) break;
  }
  // The call that waits at the gate is where it began.
  if (circle.size() > 1) std::rotate(circle.begin(), circle.end() - 1, circle.end());
  return circle;
}

}  // namespace busbar::host
