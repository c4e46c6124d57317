#include "metrics/exposition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>

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

class Some final : public prometheus::Collectable {
 public:
  explicit Some(MetricFamilies families) : families_(std::move(families)) {}
  MetricFamilies Collect() const override { return families_; }

 private:
  const MetricFamilies families_;
};

std::string exposition(MetricFamilies families) {
  Exposition text({std::make_shared<Some>(std::move(families))});
  std::string all = text.next();
  if (!all.empty()) {
    EXPECT_EQ(text.next(), "");
  }
  return all;
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
  auto durations = histogram();
  durations.metric.push_back(histogram(labels({{"service", "greet"}})).metric[0]);
  all.push_back(std::move(durations));
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

TEST(Exposition, GoesOnWithAFamilyThatTheNextCollectorHasMoreOf) {
  const auto calls = [](const char* service) {
    auto family = counter_family("busbar_calls_total", "Calls.");
    add(family, 1, labels({{"service", service}}));
    return std::make_shared<Some>(MetricFamilies{std::move(family)});
  };
  const auto none = std::make_shared<Some>(MetricFamilies{counter_family("busbar_calls_total", "Calls.")});
  const auto other = std::make_shared<Some>(MetricFamilies{gauge("busbar_ready", "Whether it is.", 1)});
  EXPECT_EQ(Exposition({none, calls("a"), none, calls("b"), other}).next(),
            "# HELP busbar_calls_total Calls.\n# TYPE busbar_calls_total counter\n"
            "busbar_calls_total{service=\"a\"} 1\nbusbar_calls_total{service=\"b\"} 1\n"
            "# HELP busbar_ready Whether it is.\n# TYPE busbar_ready gauge\nbusbar_ready 1\n");
}

// So that neither the text of a thousand services nor what it is made of is ever there as a whole.
TEST(Exposition, CollectsForOnePieceAtATime) {
  class Counted final : public prometheus::Collectable {
   public:
    explicit Counted(int& collected) : collected_(collected) {}
    MetricFamilies Collect() const override {
      ++collected_;
      auto family = counter_family("busbar_calls_total", "Calls.");
      add(family, 1, labels({{"service", std::string(10'000, 'a')}}));
      return {std::move(family)};
    }

   private:
    int& collected_;
  };
  int collected = 0;
  Exposition text(Collectors(100, std::make_shared<Counted>(collected)));
  std::size_t bytes = 0;
  int pieces = 0;
  for (std::string piece; !(piece = text.next()).empty(); bytes += piece.size()) {
    ++pieces;
    EXPECT_LT(piece.size(), 100'000U);
    EXPECT_LE(collected, 10 * pieces);
  }
  EXPECT_EQ(collected, 100);
  EXPECT_GT(bytes, 1'000'000U);
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
