#include "metrics/exposition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <limits>

#include "metrics/pool_metrics.hpp"
#include "metrics/process_metrics.hpp"

namespace busbar::host {
namespace {

using ::testing::HasSubstr;

prometheus::MetricFamily histogram(std::vector<prometheus::ClientMetric::Label> of = {}) {
  prometheus::MetricFamily family{"busbar_call_duration_seconds", "How long.", prometheus::MetricType::Histogram, {}};
  auto& metric = family.metric.emplace_back();
  metric.label = std::move(of);
  metric.histogram = {7, 3.5, {{2, 0.25}, {5, 1}, {7, std::numeric_limits<double>::infinity()}}};
  return family;
}

// Of the same numbers, which both write in one way.
TEST(Exposition, IsWhatTheLibraryWrites) {
  MetricFamilies all;
  all.push_back(gauge("busbar_ready", "Whether it is.", 1));
  all.push_back(counter("busbar_late_answers_total", "Late.", 12345));
  auto labelled = counter_family("busbar_calls_total", "Calls.");
  add(labelled, 0.5, labels({{"service", "greet"}, {"outcome", "ok"}}));
  add(labelled, 3, labels({{"service", "a\"b\\c"}, {"outcome", ""}}));
  all.push_back(std::move(labelled));
  all.push_back(histogram());
  all.push_back(histogram(labels({{"service", "greet"}})));
  auto odd = gauge_family("busbar_odd", "Numbers that are none.");
  add(odd, std::numeric_limits<double>::infinity(), labels({{"is", "more"}}));
  add(odd, -std::numeric_limits<double>::infinity(), labels({{"is", "less"}}));
  all.push_back(std::move(odd));
  EXPECT_EQ(exposition(all), prometheus::TextSerializer().prometheus::Serializer::Serialize(all));
}

TEST(Exposition, AHistogramWithoutItsLastBucketGetsOne) {
  MetricFamilies all{histogram()};
  all[0].metric[0].histogram.bucket.pop_back();
  EXPECT_THAT(exposition(all), HasSubstr("busbar_call_duration_seconds_bucket{le=\"+Inf\"} 7\n"));
}

TEST(Exposition, WhatIsNoTextBecomesOne) {
  MetricFamilies all{gauge_family("busbar_plugin_generations", "By file.")};
  add(all[0], 1, labels({{"file", "a\xff\n.so"}}));
  EXPECT_EQ(exposition(all),
            "# HELP busbar_plugin_generations By file.\n# TYPE busbar_plugin_generations gauge\n"
            "busbar_plugin_generations{file=\"a\uFFFD\\\\n.so\"} 1\n");
}

TEST(Exposition, AFamilyWithoutSeriesIsLeftOut) {
  EXPECT_EQ(exposition(MetricFamilies{gauge_family("busbar_peer_up", "Whether.")}), "");
}

TEST(PoolMetrics, TellsThreadsByWhatTheyDo) {
  PoolStats stats;
  stats.idle = 1;
  stats.running = 5;
  stats.blocked = 2;
  stats.queued = 7;
  stats.max_threads = 256;
  stats.started = 40;
  stats.finished = 35;
  const std::string text = exposition(PoolMetrics([&] { return stats; }, 10'000).Collect());
  for (const char* line :
       {"busbar_pool_threads{state=\"idle\"} 1\n", "busbar_pool_threads{state=\"running\"} 3\n",
        "busbar_pool_threads{state=\"blocked\"} 2\n", "busbar_pool_queued 7\n", "busbar_pool_queue_max 10000\n",
        "busbar_pool_threads_max 256\n", "busbar_pool_tasks_started_total 40\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(ProcessMetrics, HasTheNamesThatEverybodyHas) {
  const std::string text = exposition(ProcessMetrics().Collect());
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
                           "process_start_time_seconds", "process_open_fds", "process_max_fds"}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(name) + " ")) << text;
  }
  EXPECT_THAT(text, ::testing::Not(HasSubstr("process_resident_memory_bytes 0\n")));
}

}  // namespace
}  // namespace busbar::host
