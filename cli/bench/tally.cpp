#include "bench/tally.hpp"

namespace busbar::cli {

namespace {
constexpr std::size_t kMostCodes = 100;
constexpr const char* kOtherCodes = "(others)";
}  // namespace

void Tally::answered(const Response& response, Histogram::Duration after) {
  using Kind = Response::Kind;
  ++answered_;
  all_.add(after);
  const auto kind = static_cast<std::size_t>(response.kind());
  const bool is_known = kind > 0 && kind < by_kind_.size();
  ++by_kind_[is_known ? kind : static_cast<std::size_t>(Kind::error)];
  if (response.kind() == Kind::ok || response.kind() == Kind::created) return ok_.add(after);
  if (!first_failure_) first_failure_ = response;
  if (is_known && response.kind() != Kind::error) return;
  std::string code(response.error_code());
  if (code.empty()) code = "unknown";
  if (errors_.size() >= kMostCodes && !errors_.contains(code)) code = kOtherCodes;
  ++errors_[code];
}

void Tally::no_answer(Histogram::Duration after) {
  ++no_answer_;
  all_.add(after);
}

void Tally::unsent(Histogram::Duration after, std::uint64_t count) {
  unsent_ += count;
  all_.add(after, count);
}

}  // namespace busbar::cli
