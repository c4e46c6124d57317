// What came back from a question to another node (Dispatcher::query_async).
#pragma once

#include <busbar/response.hpp>

#include <nlohmann/json.hpp>
#include <string>

namespace busbar::host {

struct QueryOutcome {
  nlohmann::json document{};  ///< null where there is none
  std::string error{};        ///< why, in words; empty: there is one
};

/// Errors: none thrown but std::bad_alloc.
QueryOutcome read_query_outcome(const Response& outcome);

}  // namespace busbar::host
