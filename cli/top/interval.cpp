#include "top/interval.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

namespace busbar::cli {

namespace {

constexpr double kLongestStepUs = 60e6;

/// The largest of 1, 2, 5, 10 … below the bound: where its bucket begins.
double begin_of(double bound) {
  if (bound <= 1) return 0;
  const double power = std::pow(10.0, std::ceil(std::log10(bound) - 1e-9) - 1);  // bound is in (power, 10 * power]
  return bound > 5.001 * power ? 5 * power : bound > 2.001 * power ? 2 * power : power;
}

using Version = std::tuple<std::string, std::string, std::string>;
Version version_of(const Snapshot::Service& row) { return {row.service, row.plugin, row.version}; }

/// What has been added. Totals that are less than before began anew.
CallTotals difference(const CallTotals* before, const CallTotals& now) {
  if (before == nullptr || before->calls > now.calls) return now;
  CallTotals out;
  out.calls = now.calls - before->calls;
  out.errors = now.errors - std::min(before->errors, now.errors);
  for (const auto& [bound, count] : now.buckets) {
    const auto found = before->buckets.find(bound);
    const std::uint64_t then = found == before->buckets.end() ? 0 : found->second;
    if (count > then) out.buckets[bound] = count - then;
  }
  return out;
}

void add(CallTotals& to, const CallTotals& more) {
  to.calls += more.calls;
  to.errors += more.errors;
  for (const auto& [bound, count] : more.buckets) to.buckets[bound] += count;
}

CallRates rates_of(const CallTotals& added, std::uint64_t length_us) {
  const double seconds = static_cast<double>(length_us) / 1e6;
  return {static_cast<double>(added.calls) / seconds, static_cast<double>(added.errors) / seconds,
          quantile_of(added, 0.5), quantile_of(added, 0.99)};
}

/// Whether both are of one start of one host: the totals of another one count from 0.
bool goes_on(const Snapshot& before, const Snapshot& now) {
  return before.node == now.node && before.uptime_s <= now.uptime_s;
}

std::map<Version, const CallTotals*> totals_of_services(const Snapshot& snapshot) {
  std::map<Version, const CallTotals*> out;
  for (const auto& row : snapshot.services) out[version_of(row)] = &row.totals;
  return out;
}

std::map<std::string, const CallTotals*> totals_of_nodes(const Snapshot& snapshot) {
  std::map<std::string, const CallTotals*> out;
  for (const auto& row : snapshot.nodes) out[row.name] = &row.totals;
  return out;
}

template <class Key>
const CallTotals* find(const std::map<Key, const CallTotals*>& totals, const Key& key) {
  const auto found = totals.find(key);
  return found == totals.end() ? nullptr : found->second;
}

std::vector<ServiceRates> services_of(const Snapshot& before, const Snapshot& now, std::uint64_t length_us) {
  const auto earlier = totals_of_services(before);
  std::map<std::string, std::pair<ServiceRates, CallTotals>> sums;
  for (const auto& row : now.services) {
    auto& [rates, added] = sums[row.service];
    rates.service = row.service;
    rates.plugin = row.plugin;
    rates.running += row.running;
    rates.queued += row.queued;
    add(added, difference(find(earlier, version_of(row)), row.totals));
  }
  std::vector<ServiceRates> out;
  for (auto& [name, sum] : sums) {
    if (length_us != 0) sum.first.rates = rates_of(sum.second, length_us);
    out.push_back(std::move(sum.first));
  }
  return out;
}

void sort(std::vector<ServiceRates>& rows, SortBy order) {
  const auto first = [order](const ServiceRates& row) {
    if (order == SortBy::rate) return row.rates.calls_per_s;
    if (order == SortBy::p99) return row.rates.p99_us.value_or(-1);
    return order == SortBy::errors ? row.rates.errors_per_s : 0.0;
  };
  std::sort(rows.begin(), rows.end(), [&](const ServiceRates& a, const ServiceRates& b) {
    return first(a) != first(b) ? first(a) > first(b) : a.service < b.service;
  });
}

}  // namespace

std::optional<double> quantile_of(const CallTotals& totals, double part) {
  std::uint64_t count = 0;
  for (const auto& [bound, in_bucket] : totals.buckets) count += in_bucket;
  const double wanted = part * static_cast<double>(count);
  double seen = 0;
  for (const auto& [bound, in_bucket] : totals.buckets) {
    const auto here = static_cast<double>(in_bucket);
    if (in_bucket != 0 && seen + here >= wanted) {
      if (std::isinf(bound)) return kLongestStepUs;
      return begin_of(bound) + (bound - begin_of(bound)) * std::max(wanted - seen, 0.0) / here;
    }
    seen += here;
  }
  return std::nullopt;
}

Interval interval_between(const Snapshot* before, const Snapshot& now, SortBy order) {
  const Snapshot nothing;
  Interval out;
  if (before != nullptr && now.at_us > before->at_us) out.length_us = now.at_us - before->at_us;
  const Snapshot& then = before != nullptr && goes_on(*before, now) ? *before : nothing;
  out.services = services_of(then, now, out.length_us);
  sort(out.services, order);
  const auto earlier = totals_of_nodes(then);
  for (const auto& row : now.nodes) {
    const CallTotals added = difference(find(earlier, row.name), row.totals);
    out.nodes.push_back(out.length_us == 0 ? CallRates() : rates_of(added, out.length_us));
  }
  return out;
}

}  // namespace busbar::cli
