#include "stats/outcome.hpp"

#include <algorithm>

namespace busbar::host::detail {

namespace {

// Where the codes that the system itself uses begin; all of them are spelt as their outcome is named.
constexpr auto kFirstCode = static_cast<std::size_t>(Outcome::forbidden);

Outcome outcome_of_error(std::string_view error_code) noexcept {
  const auto* const found = std::find(kOutcomeNames.begin() + kFirstCode, kOutcomeNames.end(), error_code);
  return found == kOutcomeNames.end() ? Outcome::error : static_cast<Outcome>(found - kOutcomeNames.begin());
}

}  // namespace

Outcome outcome_of_failure(const Response& response) noexcept {
  switch (response.kind()) {
    case Response::Kind::ok:
      return Outcome::ok;
    case Response::Kind::created:
      return Outcome::created;
    case Response::Kind::service_unavailable:
      return Outcome::service_unavailable;
    case Response::Kind::service_timeout:
      return Outcome::service_timeout;
    case Response::Kind::validation_error:
      return Outcome::validation_error;
    case Response::Kind::missing_id:
      return Outcome::missing_id;
    default:
      return outcome_of_error(response.error_code());
  }
}

}  // namespace busbar::host::detail
