# cmake -DDIRECTORY=… -DFILES=a;b -DOUTPUT=….cpp -P embed.cmake: writes a source file that has the files as texts.
set(entries)
foreach(file IN LISTS FILES)
  file(READ ${DIRECTORY}/${file} content)
  string(APPEND entries "    {\"${file}\", R\"file!(${content})file!\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by cli/new/embed.cmake from the files in cli/new/template.
#include \"new/template.hpp\"

namespace busbar::cli {

std::span<const TemplateFile> template_files() {
  static constexpr TemplateFile kFiles[] = {
${entries}  };
  return kFiles;
}

}  // namespace busbar::cli
")
