// The project that `busbar new` writes, as it stands in cli/new/template: a plugin that is called my-plugin.
#pragma once

#include <span>
#include <string_view>

namespace busbar::cli {

struct TemplateFile {
  std::string_view path;
  std::string_view content;
};

/// Its files, as they were when this program was built. They live as long as the program.
std::span<const TemplateFile> template_files();

}  // namespace busbar::cli
