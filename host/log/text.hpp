// Foreign text made safe to print: control characters escaped, invalid UTF-8 replaced, so that no name can forge a
// line.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace busbar::host {

/// Appends `text` with `"`, `\` and whatever is not plainly visible escaped as in JSON, and invalid UTF-8 replaced by
/// U+FFFD. Escaped are the control characters, and what makes a terminal or a viewer break a line or turn its
/// direction.
void append_escaped(std::string& out, std::string_view text);

/// The same, but leaves `"` and `\` as they are: for a message, which is not inside quotes.
void append_printable(std::string& out, std::string_view text);

/// The text in double quotes, escaped; what is longer than `longest` bytes is cut, and the cut is shown as `…`.
/// For error messages and log lines, which quote what others wrote.
std::string in_quotes(std::string_view text, std::size_t longest = 200);

/// `text`, or the part of it that fits into `longest` bytes without cutting a character in two.
std::string_view beginning(std::string_view text, std::size_t longest);

/// A moment as RFC 3339 text in UTC, to the millisecond: `2026-01-02T03:04:05.678Z`.
std::string utc_text(std::chrono::system_clock::time_point at);

/// What an `errno` means, in lower case: `no such file or directory`.
std::string error_text(int error);

}  // namespace busbar::host
