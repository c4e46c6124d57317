// What a benchmark found.
#pragma once

#include <string>

#include "bench/driver.hpp"
#include "bench/options.hpp"
#include "people.hpp"
#include "response_json.hpp"
#include "text.hpp"

namespace busbar::cli {

struct BenchReport {
  const std::string& service;
  const std::string& node;  ///< empty: anybody
  const BenchOptions& options;
  const BenchResult& result;
};

/// Whether calls were measured, and none failed; those that an interrupt cut off are no failures.
bool is_good(const BenchResult& result);

/// The document (docs/man/busbar-bench.1, "JSON").
Json report_json(const BenchReport& report);
std::string report_text(const BenchReport& report, const Palette& palette);

}  // namespace busbar::cli
