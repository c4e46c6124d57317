#include "metrics/call_metrics.hpp"

#include <algorithm>
#include <array>

#include "dispatch/peer.hpp"
#include "metrics/families.hpp"
#include "stats/outcome.hpp"

namespace busbar::host {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::vector<ClientMetric::Label>;

namespace {

/// Divided, not multiplied: 30 s is written as 30 then.
constexpr double kNanosPerSecond = 1e9;

/// The buckets that are told, each the sum of several steps that are counted: those of 1,000 services go over the wire
/// with every scrape.
constexpr std::array<Nanos, 14> kBounds = {
    10 * kMicrosecond, 50 * kMicrosecond, 100 * kMicrosecond, 500 * kMicrosecond, 1 * kMillisecond,
    5 * kMillisecond,  10 * kMillisecond, 50 * kMillisecond,  100 * kMillisecond, 500 * kMillisecond,
    1 * kSecond,       5 * kSecond,       10 * kSecond,       30 * kSecond};
static_assert(std::all_of(kBounds.begin(), kBounds.end(),
                          [](Nanos bound) {
                            return std::find(kDurationSteps.begin(), kDurationSteps.end(), bound) !=
                                   kDurationSteps.end();
                          }),
              "a bucket ends where a step does");

MetricFamily histogram_family(const char* name, const char* help) {
  return {name, help, prometheus::MetricType::Histogram, {}};
}

void add_durations(MetricFamily& family, const DurationCounts& durations, const Labels& labels) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = labels;
  metric.histogram.sample_count = durations.total();
  metric.histogram.sample_sum = static_cast<double>(durations.sum) / kNanosPerSecond;
  metric.histogram.bucket.reserve(kBounds.size());
  std::uint64_t below = 0;
  std::size_t step = 0;
  for (const Nanos bound : kBounds) {
    for (; step < kDurationSteps.size() && kDurationSteps[step] <= bound; ++step) below += durations.counts[step];
    metric.histogram.bucket.push_back({below, static_cast<double>(bound) / kNanosPerSecond});
  }
}

void add_outcomes(MetricFamily& family, const CallCounts& counts, const Labels& labels) {
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    Labels with_outcome = labels;
    with_outcome.push_back({"outcome", std::string(kOutcomeNames[i])});
    add(family, static_cast<double>(counts.outcomes[i]), std::move(with_outcome));
  }
}

MetricFamilies of_services(const std::vector<ServiceStats>& services) {
  auto calls = counter_family("busbar_calls_total", "Calls of services of this host that have ended, by outcome.");
  auto queued = histogram_family("busbar_call_queued_seconds",
                                 "How long calls waited until their handler was started, or they were given up.");
  auto running = histogram_family("busbar_call_running_seconds", "How long handlers ran.");
  auto whole =
      histogram_family("busbar_call_duration_seconds", "How long calls took, from their arrival to their end.");
  auto waiting_now = gauge_family("busbar_calls_queued", "Calls that wait for their handler to be started.");
  auto running_now = gauge_family("busbar_calls_running", "Calls whose handlers run.");
  auto deferred_now = gauge_family("busbar_calls_deferred", "Calls whose handlers have returned, to answer later.");
  for (const ServiceStats& service : services) {
    const Labels of =
        labels({{"service", service.key.service}, {"plugin", service.key.plugin}, {"version", service.key.version}});
    add_outcomes(calls, service.counts, of);
    add_durations(queued, service.counts.queued, of);
    add_durations(running, service.counts.running, of);
    add_durations(whole, service.counts.whole, of);
    add(waiting_now, service.queued, of);
    add(running_now, service.running, of);
    add(deferred_now, service.deferred, of);
  }
  MetricFamilies out;
  for (auto* family : {&calls, &queued, &running, &whole, &waiting_now, &running_now, &deferred_now}) {
    out.push_back(std::move(*family));
  }
  return out;
}

MetricFamilies of_peers(const Node& node) {
  auto calls = counter_family("busbar_peer_calls_total",
                              "Attempts of calls from here at that node that have ended, by outcome.");
  auto whole = histogram_family("busbar_peer_call_duration_seconds", "How long these took.");
  auto pending = gauge_family("busbar_peer_calls_pending", "Calls from here that are under way at that node.");
  for (const registry::NodeRow& row : node.nodes()) {
    const auto known = node.registry().find_node(row.name);
    if (known == nullptr) continue;
    const auto& peer = static_cast<const Peer&>(*known);
    const CallCounts counts = peer.stats().read();
    const Labels of = labels({{"peer", row.name}});
    add_outcomes(calls, counts, of);
    add_durations(whole, counts.whole, of);
    add(pending, peer.pending(), of);
  }
  MetricFamilies out;
  for (auto* family : {&calls, &whole, &pending}) out.push_back(std::move(*family));
  return out;
}

}  // namespace

MetricFamilies CallMetrics::Collect() const {
  MetricFamilies out = of_services(node_.dispatcher().service_stats());
  for (MetricFamily& family : of_peers(node_)) out.push_back(std::move(family));
  out.push_back(counter("busbar_calls_unserved_total", "Calls that found nobody who provides their service.",
                        static_cast<double>(node_.dispatcher().calls_unserved())));
  return out;
}

}  // namespace busbar::host
