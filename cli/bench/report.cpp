#include "bench/report.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "bench/numbers.hpp"

namespace busbar::cli {

namespace {

using Kind = Response::Kind;
constexpr std::array kKinds = {Kind::ok,         Kind::created, Kind::service_timeout,    Kind::validation_error,
                               Kind::missing_id, Kind::error,   Kind::service_unavailable};

struct Quantile {
  const char* name;
  double part;
};
constexpr std::array<Quantile, 4> kQuantiles = {{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}};

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }
double microseconds(std::chrono::nanoseconds duration) { return static_cast<double>(duration.count()) / 1e3; }
std::int64_t whole_microseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

double rate_reached(const BenchResult& result) {
  return result.measured.count() == 0 ? 0 : static_cast<double>(result.begun) / seconds(result.measured);
}

// ---------------------------------------------------------------------------------------------------------- programs

Json latency_json(const Histogram& histogram) {
  if (histogram.count() == 0) return nullptr;
  Json out = {{"min_us", microseconds(histogram.least())}, {"mean_us", microseconds(histogram.mean())}};
  for (const auto& [name, part] : kQuantiles) {
    out[std::string(name) + "_us"] = microseconds(histogram.quantile(part));
  }
  out["max_us"] = microseconds(histogram.most());
  return out;
}

Json outcomes_json(const Tally& tally) {
  Json out = Json::object();
  for (const Kind kind : kKinds) out[std::string(wire::name_of(kind))] = tally.count_of(kind);
  out["no_answer"] = tally.without_answer();
  out["unsent"] = tally.unsent();
  return out;
}

Json histogram_json(const Histogram& histogram) {
  Json out = Json::array();
  for (const auto& row : histogram.rows()) out.push_back({{"le_us", microseconds(row.up_to)}, {"count", row.count}});
  return out;
}

const char* ending_of(const BenchResult& result) {
  if (result.broken_off) return "broken_off";
  return result.interrupted ? "interrupted" : "duration";
}

// ------------------------------------------------------------------------------------------------------------ people

std::string headline(const BenchReport& report, const Palette& palette) {
  const BenchResult& result = report.result;
  const auto callers = report.options.callers_or_usual();
  return palette(Colour::bold, printable(report.service)) + ": " + grouped(result.tally.calls()) + " calls in " +
         short_time(result.measured) + ", " + rate_text(rate_reached(result)) + "/s by " + grouped(callers) +
         (callers == 1 ? " caller" : " callers") + (result.interrupted ? " (interrupted)" : "") + "\n";
}

/// Where fewer calls were begun than were due.
std::string shortfall(const BenchReport& report, const Palette& palette) {
  if (!report.options.rate) return {};
  const double reached = rate_reached(report.result);
  if (reached >= 0.99 * *report.options.rate) return {};
  return palette(Colour::yellow, "reached " + rate_text(reached) + " of " + rate_text(*report.options.rate) + "/s") +
         ": all callers were busy; latency includes waiting for one. Is the host too slow, or are --callers too few?\n";
}

std::string outcomes_text(const Tally& tally, const Palette& palette) {
  std::vector<std::vector<Cell>> rows;
  const auto add = [&](const std::string& what, std::uint64_t count, Colour colour) {
    if (count != 0) rows.push_back({{what, colour}, {grouped(count)}});
  };
  for (const Kind kind : kKinds) {
    const bool good = kind == Kind::ok || kind == Kind::created;
    if (kind != Kind::error) {
      add(std::string(wire::name_of(kind)), tally.count_of(kind), good ? Colour::green : Colour::red);
    }
  }
  for (const auto& [code, count] : tally.errors()) add("error " + printable(code), count, Colour::red);
  add("not answered", tally.without_answer(), Colour::yellow);
  add("not sent", tally.unsent(), Colour::yellow);
  std::string out = table({"outcome", "calls"}, rows, palette);
  if (tally.first_failure()) out += "\nthe first failure: " + response_line(*tally.first_failure(), palette) + "\n";
  return out;
}

std::string latency_line(const std::string& what, const Histogram& histogram, const Palette& palette) {
  std::string out = palette(Colour::bold, what) + "\n ";
  for (const auto& [name, part] : kQuantiles) {
    out += " " + std::string(name == std::string_view("p999") ? "p99.9" : name) + " " +
           palette(Colour::cyan, short_time(histogram.quantile(part))) + " ";
  }
  return out + " max " + palette(Colour::cyan, short_time(histogram.most())) + "\n";
}

std::string histogram_text(const Histogram& histogram) {
  constexpr std::uint64_t kLongestBar = 50;
  std::uint64_t most = 1;
  for (const auto& row : histogram.rows()) most = std::max(most, row.count);
  std::string out;
  for (const auto& row : histogram.rows()) {
    const std::string bound = short_time(row.up_to);
    const std::string count = grouped(row.count);
    const auto pad = [](const std::string& text, std::size_t width) {
      return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
    };
    // Who is there at all is seen.
    const std::uint64_t bar = row.count == 0 ? 0 : std::max<std::uint64_t>(row.count * kLongestBar / most, 1);
    out += "  to " + pad(bound, 7) + pad(count, 13) + "  " + std::string(bar, '#');
    while (out.ends_with(' ')) out.pop_back();
    out += "\n";
  }
  return out;
}

}  // namespace

bool is_good(const BenchResult& result) {
  const std::uint64_t cut_off = result.interrupted ? 0 : result.tally.without_answer();
  return result.tally.answers() != 0 && result.tally.failures() + cut_off == 0;
}

Json report_json(const BenchReport& report) {
  const BenchResult& result = report.result;
  const Tally& tally = result.tally;
  Json out = {{"service", report.service},
              {"node", report.node.empty() ? Json() : Json(report.node)},
              {"callers", report.options.callers_or_usual()},
              {"rate_asked_per_s", report.options.rate ? Json(*report.options.rate) : Json()},
              {"rate_reached_per_s", rate_reached(result)},
              {"warm_up_us", whole_microseconds(report.options.warm_up)},
              {"duration_us", whole_microseconds(result.measured)},
              {"ended", ending_of(result)}};
  if (result.broken_off) out["reason"] = result.broken_off->what();
  out["calls"] = tally.calls();
  out["outcomes"] = outcomes_json(tally);
  out["errors"] = tally.errors();
  out["latency_from"] = report.options.rate ? "due" : "sent";
  out["latency"] = latency_json(tally.all());
  out["ok_latency"] = latency_json(tally.ok());
  out["histogram"] = histogram_json(tally.all());
  return out;
}

std::string report_text(const BenchReport& report, const Palette& palette) {
  const Tally& tally = report.result.tally;
  std::string out = headline(report, palette) + shortfall(report, palette);
  if (tally.calls() == 0) return out + "nothing was measured: no call was due and answered\n";
  out += "\n" + outcomes_text(tally, palette) + "\n";
  out += latency_line(report.options.rate
                          ? "latency, from when a call was due"
                          : "latency, from when a call was sent (who stands still is asked less: see --rate)",
                      tally.all(), palette);
  if (tally.ok().count() != 0 && tally.ok().count() != tally.calls()) {
    out += latency_line("of those that succeeded", tally.ok(), palette);
  }
  return out + "\n" + histogram_text(tally.all());
}

}  // namespace busbar::cli
