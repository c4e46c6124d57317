#include "metrics/call_metrics.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "dispatch/peer.hpp"
#include "metrics/families.hpp"
#include "stats/outcome.hpp"

namespace busbar::host {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
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

/// Services, or peers, whose series of one family are made at once: some tens of kilobytes of text.
constexpr std::size_t kSlice = 16;

/// A service or a peer, and what has been counted of it.
struct Row {
  Labels of;
  CallCounts counts;
  std::uint64_t queued = 0, running = 0, deferred = 0;  // now; a peer has the second alone
};

/// One family, and how a row is added to it.
struct Told {
  MetricType type;
  const char* name;
  const char* help;
  void (*add)(MetricFamily&, const Row&);
};

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
    Labels with_outcome;
    with_outcome.reserve(labels.size() + 1);
    with_outcome = labels;
    with_outcome.push_back({"outcome", std::string(kOutcomeNames[i])});
    add(family, static_cast<double>(counts.outcomes[i]), std::move(with_outcome));
  }
}

constexpr std::array kOfServices = {
    Told{MetricType::Counter, "busbar_calls_total", "Calls of services of this host that have ended, by outcome.",
         [](MetricFamily& family, const Row& row) { add_outcomes(family, row.counts, row.of); }},
    Told{MetricType::Histogram, "busbar_call_queued_seconds",
         "How long calls waited until their handler was started, or they were given up.",
         [](MetricFamily& family, const Row& row) { add_durations(family, row.counts.queued, row.of); }},
    Told{MetricType::Histogram, "busbar_call_running_seconds", "How long handlers ran.",
         [](MetricFamily& family, const Row& row) { add_durations(family, row.counts.running, row.of); }},
    Told{MetricType::Histogram, "busbar_call_duration_seconds", "How long calls took, from their arrival to their end.",
         [](MetricFamily& family, const Row& row) { add_durations(family, row.counts.whole, row.of); }},
    Told{MetricType::Gauge, "busbar_calls_queued", "Calls that wait for their handler to be started.",
         [](MetricFamily& family, const Row& row) { add(family, static_cast<double>(row.queued), row.of); }},
    Told{MetricType::Gauge, "busbar_calls_running", "Calls whose handlers run.",
         [](MetricFamily& family, const Row& row) { add(family, static_cast<double>(row.running), row.of); }},
    Told{MetricType::Gauge, "busbar_calls_deferred", "Calls whose handlers have returned, to answer later.",
         [](MetricFamily& family, const Row& row) { add(family, static_cast<double>(row.deferred), row.of); }},
};

constexpr std::array kOfPeers = {
    Told{MetricType::Counter, "busbar_peer_calls_total",
         "Attempts of calls from here at that node that have ended, by outcome.",
         [](MetricFamily& family, const Row& row) { add_outcomes(family, row.counts, row.of); }},
    Told{MetricType::Histogram, "busbar_peer_call_duration_seconds", "How long these took.",
         [](MetricFamily& family, const Row& row) { add_durations(family, row.counts.whole, row.of); }},
    Told{MetricType::Gauge, "busbar_peer_calls_pending", "Calls from here that are under way at that node.",
         [](MetricFamily& family, const Row& row) { add(family, static_cast<double>(row.running), row.of); }},
};

using Rows = std::shared_ptr<const std::vector<Row>>;

/// Some rows of one family.
class Slice final : public prometheus::Collectable {
 public:
  Slice(const Told& told, Rows rows, std::size_t from) : told_(told), rows_(std::move(rows)), from_(from) {}
  MetricFamilies Collect() const override {
    MetricFamilies one(1);
    one[0] = {told_.name, told_.help, told_.type, {}};
    for (std::size_t i = from_; i < std::min(rows_->size(), from_ + kSlice); ++i) told_.add(one[0], (*rows_)[i]);
    return one;
  }

 private:
  const Told& told_;
  const Rows rows_;
  const std::size_t from_;
};

class Unserved final : public prometheus::Collectable {
 public:
  explicit Unserved(std::uint64_t calls) : calls_(calls) {}
  MetricFamilies Collect() const override {
    return {counter("busbar_calls_unserved_total", "Calls that found nobody who provides their service.",
                    static_cast<double>(calls_))};
  }

 private:
  const std::uint64_t calls_;
};

Rows rows_of_services(const Dispatcher& dispatcher) {
  auto rows = std::make_shared<std::vector<Row>>();
  for (const ServiceStats& service : dispatcher.service_stats()) {
    rows->push_back(
        {labels({{"service", service.key.service}, {"plugin", service.key.plugin}, {"version", service.key.version}}),
         service.counts, service.queued, service.running, service.deferred});
  }
  return rows;
}

Rows rows_of_peers(const Node& node) {
  auto rows = std::make_shared<std::vector<Row>>();
  for (const registry::NodeRow& row : node.nodes()) {
    const auto known = node.registry().find_node(row.name);
    if (known == nullptr) continue;
    const auto& peer = static_cast<const Peer&>(*known);
    rows->push_back({labels({{"peer", row.name}}), peer.stats().read(), 0, peer.pending(), 0});
  }
  return rows;
}

template <std::size_t N>
void add_slices(Collectors& to, const std::array<Told, N>& families, const Rows& rows) {
  for (const Told& told : families) {
    for (std::size_t from = 0; from < rows->size(); from += kSlice) {
      to.push_back(std::make_shared<Slice>(told, rows, from));
    }
  }
}

}  // namespace

Collectors call_metrics(const Node& node) {
  Collectors all;
  add_slices(all, kOfServices, rows_of_services(node.dispatcher()));
  add_slices(all, kOfPeers, rows_of_peers(node));
  all.push_back(std::make_shared<Unserved>(node.dispatcher().calls_unserved()));
  return all;
}

}  // namespace busbar::host
