// Looking things up beside a verb's own question: what makes an answer clearer, and is no failure where it is missing.
#pragma once

#include <string>
#include <string_view>

#include "response_json.hpp"
#include "verbs.hpp"

namespace busbar::cli {

/// The objects in the list `member` of the document with which the host answers `verb`; an empty list where it does
/// not.
Json rows_of(const Ask& ask, std::string_view verb, const char* member, const std::string& service = {});

/// The objects in the list `member` of a document; none where there is no such list.
Json rows_in(const Json& document, const char* member);

/// The text in a row, empty where there is none.
std::string text_of(const Json& row, const char* member);

}  // namespace busbar::cli
