#include <busbar/abi.h>
#include <busbar/limits.hpp>
#include <busbar/strategy.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "plugins/file/compare.hpp"

namespace busbar::host {

using nlohmann::json;

namespace {

std::map<std::string, const ServiceFacts*> by_name(const std::vector<ServiceFacts>& services) {
  std::map<std::string, const ServiceFacts*> out;
  for (const ServiceFacts& facts : services) out.emplace(facts.name, &facts);
  return out;
}

/// A limit that takes less lets callers be refused that were not.
std::optional<Change> compare_limits(const std::string& service, const wire::CallLimit& older,
                                     const wire::CallLimit& newer) {
  if (older == newer) return std::nullopt;
  const auto most = [](const wire::CallLimit& limit) {
    return limit.max_running == 0 ? std::pair(BUSBAR_NO_LIMIT, BUSBAR_NO_LIMIT)
                                  : std::pair(limit.max_running, limit.max_queued);
  };
  const bool takes_less = most(newer).first < most(older).first || most(newer).second < most(older).second;
  return Change{takes_less ? Weight::warns : Weight::fine, service,
                "its limit was " + to_text(older) + ", is " + to_text(newer)};
}

/// The changes of one service that there is in both versions.
class ServiceComparison {
 public:
  ServiceComparison(const ServiceFacts& older, const ServiceFacts& newer) : old_(older), new_(newer) {}

  std::vector<Change> run() {
    if (old_.is_private != new_.is_private) {
      new_.is_private ? add(Weight::breaks, "was public, is private: other nodes cannot call it any more")
                      : add(Weight::fine, "was private, is public");
    }
    compare_promise("idempotent", old_.idempotent, new_.idempotent);
    compare_promise("dry-run safe", old_.dry_run_safe, new_.dry_run_safe);
    if (old_.is_inline != new_.is_inline) {
      add(Weight::fine, new_.is_inline ? "is inline now: no timeout can hold" : "is not inline any more");
    }
    const auto timeout = [](const ServiceFacts& facts) {
      return facts.timeout_ms == 0 ? kUsualTimeoutMs : facts.timeout_ms;
    };
    if (timeout(old_) != timeout(new_)) {
      add(timeout(new_) < timeout(old_) ? Weight::warns : Weight::fine,
          "its timeout was " + std::to_string(timeout(old_)) + " ms, is " + std::to_string(timeout(new_)) + " ms");
    }
    compare_strategies();
    if (auto change = compare_limits(new_.name, old_.limit, new_.limit)) changes_.push_back(std::move(*change));
    compare_texts(Side::request, old_.request_schema, new_.request_schema);
    compare_texts(Side::response, old_.response_schema, new_.response_schema);
    return std::move(changes_);
  }

 private:
  void compare_promise(const std::string& name, bool before, bool now) {
    if (before && !now) add(Weight::breaks, "was " + name + ", is not any more");
    if (!before && now) add(Weight::fine, "is " + name + " now");
  }

  // Which provider a call goes to is promised to nobody but where keys stick.
  void compare_strategies() {
    const std::string before = strategy_text(old_), now = strategy_text(new_);
    if (before == now) return;
    const bool unsticks = old_.strategy == name_of(Strategy::sticky);
    add(unsticks ? Weight::warns : Weight::fine, "its strategy was " + before + ", is " + now);
  }

  void compare_texts(Side side, const std::string& older, const std::string& newer) {
    const json before = json::parse(older, nullptr, false);
    const json now = json::parse(newer, nullptr, false);
    const std::string what = side == Side::request ? "requests" : "responses";
    if (before.is_discarded() && now.is_discarded()) return;
    if (before.is_discarded()) return add(Weight::warns, "says only now what its " + what + " are");
    if (now.is_discarded()) return add(Weight::warns, "does not say any more what its " + what + " are");
    for (Change& change : compare_schemas(side, before, now)) add(change.weight, std::move(change.text));
  }

  void add(Weight weight, std::string text) { changes_.push_back({weight, new_.name, std::move(text)}); }

  const ServiceFacts& old_;
  const ServiceFacts& new_;
  std::vector<Change> changes_;
};

}  // namespace

std::string_view to_text(Weight weight) {
  switch (weight) {
    case Weight::breaks:
      return "breaks";
    case Weight::warns:
      return "warns";
    case Weight::fine:
      break;
  }
  return "fine";
}

std::vector<Change> compare_routers(const RouterFacts& older, const RouterFacts& newer) {
  const auto before = by_name(older.services), now = by_name(newer.services);
  std::vector<Change> changes;
  if (auto change = compare_limits({}, older.limit, newer.limit)) changes.push_back(std::move(*change));
  for (const auto& [name, facts] : before) {
    const auto same = now.find(name);
    if (same == now.end()) {
      changes.push_back({Weight::breaks, name, "is gone"});
      continue;
    }
    for (Change& change : ServiceComparison(*facts, *same->second).run()) changes.push_back(std::move(change));
  }
  for (const auto& [name, facts] : now) {
    if (!before.contains(name)) changes.push_back({Weight::fine, name, "is new"});
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.weight < b.weight; });
  return changes;
}

}  // namespace busbar::host
