// Reading and making small files, with who else may touch them.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace busbar::keys {

/// A path as messages show it: in quotes, without control characters.
std::string shown(const std::filesystem::path& path);
/// What an errno means, in words.
std::string error_text(int error);

/// The whole of a file of at most 16 KiB, of which nobody else has any of the rights `forbidden` (as in S_IRWXG), and
/// which belongs to the user of this process, or to root. `must`: what is asked of it, for the message.
/// Errors: KeyError.
std::string read_small_file(const std::filesystem::path& file, mode_t forbidden, std::string_view must);

/// Makes a file that is not there yet, whole and on the disk. Errors: KeyError; then there is none.
void make_file(const std::filesystem::path& file, std::string_view text, mode_t mode);

}  // namespace busbar::keys
