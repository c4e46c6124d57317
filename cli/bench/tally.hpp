// What became of the calls of a benchmark.
#pragma once

#include <busbar/response.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "bench/histogram.hpp"

namespace busbar::cli {

/// Bounded, whatever is answered. Threads: one at a time.
class Tally {
 public:
  /// A call was answered. A response of no kind is one of a later version: it counts as an error.
  void answered(const Response& response, Histogram::Duration after);
  /// A call was given up, which had waited for that long.
  void no_answer(Histogram::Duration after);
  /// So many calls were due, and not begun. They had waited for that long.
  void unsent(Histogram::Duration after, std::uint64_t count);

  std::uint64_t calls() const noexcept { return all_.count(); }
  std::uint64_t count_of(Response::Kind kind) const noexcept { return by_kind_[static_cast<std::size_t>(kind)]; }
  std::uint64_t without_answer() const noexcept { return no_answer_; }
  std::uint64_t unsent() const noexcept { return unsent_; }
  /// Answers that are no success.
  std::uint64_t failures() const noexcept { return answered_ - ok_.count(); }
  std::uint64_t answers() const noexcept { return answered_; }
  /// Those of kind `error`, by their code; the codes beyond the first hundred count as `(others)`.
  const std::map<std::string, std::uint64_t>& errors() const noexcept { return errors_; }
  /// The first failure, to be shown.
  const std::optional<Response>& first_failure() const noexcept { return first_failure_; }

  /// How long all of them took, or had waited when they were given up; and those that succeeded.
  const Histogram& all() const noexcept { return all_; }
  const Histogram& ok() const noexcept { return ok_; }

 private:
  std::array<std::uint64_t, 8> by_kind_{};
  std::uint64_t answered_ = 0;
  std::uint64_t no_answer_ = 0;
  std::uint64_t unsent_ = 0;
  std::map<std::string, std::uint64_t> errors_;
  std::optional<Response> first_failure_;
  Histogram all_, ok_;
};

}  // namespace busbar::cli
