// Text for people: foreign text made safe, tables, and colours where there is a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::cli {

/// The text with whatever a terminal would act upon, or would not show, as `\u001b`; invalid UTF-8 becomes U+FFFD.
std::string printable(std::string_view text);
/// The same for JSON that was dumped, whose line breaks stay; what is escaped stands inside its strings.
std::string printable_json(std::string_view json);
/// In double quotes, and cut where it is long.
std::string in_quotes(std::string_view text);
/// What an `errno` means, in lower case.
std::string error_text(int error);

enum class Colour { none, dim, bold, green, red, yellow, cyan };

/// Writes colours, or does not.
class Palette {
 public:
  explicit Palette(bool coloured) noexcept : coloured_(coloured) {}
  std::string operator()(Colour colour, std::string_view text) const;

 private:
  bool coloured_;
};

struct Cell {
  std::string text;
  Colour colour = Colour::none;
};

/// A table with a head and aligned columns; the last one is as wide as it likes. Empty without rows.
std::string table(const std::vector<std::string>& head, const std::vector<std::vector<Cell>>& rows,
                  const Palette& palette);

}  // namespace busbar::cli
