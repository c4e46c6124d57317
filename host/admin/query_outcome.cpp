#include "admin/query_outcome.hpp"

#include <busbar/wire/admin.hpp>

namespace busbar::host {

namespace {

std::string in_words(const Response& failure) {
  if (failure.kind() == Response::Kind::service_timeout) {
    return "nothing within " + std::to_string(failure.timeout_ms()) + " ms";
  }
  return std::string(failure.text().empty() ? failure.error_code() : failure.text());
}

}  // namespace

QueryOutcome read_query_outcome(const Response& outcome) {
  if (!outcome.succeeded()) return {nullptr, in_words(outcome)};
  try {
    const auto told = outcome.value_as<wire::AdminAnswer>();
    if (told.document) return {cbor::to_json(*told.document), {}};
    return {nullptr, told.error ? told.error->text : "its answer holds nothing"};
  } catch (const std::exception& unfit) {
    return {nullptr, "its answer cannot be read: " + std::string(unfit.what())};
  }
}

}  // namespace busbar::host
