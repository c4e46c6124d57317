// What the answers look like to people.
#pragma once

#include <busbar/wire/admin.hpp>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "failure.hpp"
#include "response_json.hpp"
#include "text.hpp"

namespace busbar::cli {

/// What came back from a call; it begins with `headline`, where there is one, else with the `response_line`. Errors:
/// Failure where a value cannot be shown.
std::string reply_text(const wire::AdminReply& reply, const Palette& palette,
                       const std::optional<std::string>& headline = {});

/// `0.140 ms`.
std::string milliseconds(std::uint64_t duration_us);

/// One line on a response: `validation error`, `error badrpc (exit): …`.
std::string response_line(const Response& response, const Palette& palette);

std::string providers_text(const Json& document, const std::string& service, const Palette& palette);
std::string services_text(const Json& document, const Palette& palette);
/// `host_options` leads the line that shows how the service is called: the options by which this host was found.
std::string description_text(const Json& document, const std::string& host_options, const Palette& palette);
std::string nodes_text(const Json& document, const Palette& palette);
std::string plugins_text(const Json& document, const Palette& palette);
std::string calls_text(const Json& document, const Palette& palette);
std::string log_levels_text(const Json& document, const Palette& palette);
std::string status_text(const Json& document, const Palette& palette);

/// `busbar: could not …`, and the hint on a line of its own.
std::string failure_text(const Failure& failure, const Palette& palette);

}  // namespace busbar::cli
