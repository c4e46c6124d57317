#include "metrics/exposition.hpp"

#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

namespace busbar::host {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

namespace {

constexpr std::string_view kHelp = "# HELP ";
constexpr std::string_view kType = "# TYPE ";
/// Bytes of a piece: written in some tens of microseconds, and few writes for a megabyte.
constexpr std::size_t kPiece = 32 * 1024;

std::string_view name_of(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Histogram:
      return "histogram";
    default:
      return "gauge";
  }
}

template <class Number>
void append_number(std::string& out, Number number) {
  char text[32];
  out.append(text, std::to_chars(std::begin(text), std::end(text), number).ptr);
}

/// As clients of Prometheus write it, and so queries name it: 0.0001, not 1e-04.
void append_bound(std::string& out, double bound) {
  if (std::isinf(bound)) {
    out += "+Inf";
    return;
  }
  char text[32];
  out.append(text, std::to_chars(std::begin(text), std::end(text), bound, std::chars_format::general).ptr);
}

void append_value(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    append_number(out, value);
  }
}

void append_escaped_label(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

/// `{service="greet",plugin="greeter"`, without its end; empty where there are none.
std::string labels_of(const ClientMetric& metric) {
  std::string out;
  for (const auto& label : metric.label) {
    out += out.empty() ? '{' : ',';
    out.append(label.name).append("=\"");
    append_escaped_label(out, label.value);
    out += '"';
  }
  return out;
}

/// Writes the series of one family. What is the same in each line of a series is made once.
class FamilyWriter {
 public:
  FamilyWriter(std::string& out, const MetricFamily& family) : out_(out), family_(family) {}

  void write_head() {
    out_.append(kHelp).append(family_.name).append(" ").append(family_.help).append("\n");
    out_.append(kType).append(family_.name).append(" ").append(name_of(family_.type)).append("\n");
  }

  void write_series() {
    for (const ClientMetric& metric : family_.metric) {
      const std::string labels = labels_of(metric);
      if (family_.type == MetricType::Histogram) {
        write_histogram(metric.histogram, labels);
      } else {
        line({}, labels, family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value);
      }
    }
  }

 private:
  void write_histogram(const ClientMetric::Histogram& histogram, const std::string& labels) {
    line("_count", labels, histogram.sample_count);
    line("_sum", labels, histogram.sample_sum);
    bool has_infinity = false;
    for (const auto& one : histogram.bucket) {
      has_infinity = std::isinf(one.upper_bound);
      bucket(labels, one.upper_bound, one.cumulative_count);
    }
    if (!has_infinity) bucket(labels, std::numeric_limits<double>::infinity(), histogram.sample_count);
  }

  void bucket(const std::string& labels, double bound, std::uint64_t count) {
    out_.append(family_.name).append("_bucket").append(labels).append(labels.empty() ? "{le=\"" : ",le=\"");
    append_bound(out_, bound);
    out_ += "\"} ";
    append_number(out_, count);
    out_ += '\n';
  }

  template <class Number>
  void line(std::string_view suffix, const std::string& labels, Number value) {
    out_.append(family_.name).append(suffix).append(labels).append(labels.empty() ? " " : "} ");
    if constexpr (std::is_floating_point_v<Number>) {
      append_value(out_, value);
    } else {
      append_number(out_, value);
    }
    out_ += '\n';
  }

  std::string& out_;
  const MetricFamily& family_;
};

}  // namespace

std::string Exposition::next() {
  std::string out;
  out.reserve(kPiece + kPiece / 2);
  while (next_ < collectors_.size() && out.size() < kPiece) write(out, collectors_[next_++]->Collect());
  return out;
}

void Exposition::write(std::string& out, const MetricFamilies& families) {
  for (const MetricFamily& family : families) {
    if (family.metric.empty()) continue;
    FamilyWriter writer(out, family);
    if (family.name != family_) writer.write_head();
    writer.write_series();
    family_ = family.name;
  }
}

}  // namespace busbar::host
