// What was probably meant by a name that nobody knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "verbs.hpp"

namespace busbar::cli {

/// How many characters must be put in, left out, replaced or exchanged with their neighbour to make one of the other.
std::size_t distance(std::string_view a, std::string_view b);

/// The service that the host knows whose name is nearest to `name`, where one is near enough to be a slip. Nothing
/// where it knows `name` itself, or does not answer.
std::optional<std::string> similar_service(const std::string& name, const Ask& ask);

}  // namespace busbar::cli
