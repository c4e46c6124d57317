#include "plugins/pins/function_names.hpp"

#include <cstdint>
#include <sstream>

#include "plugins/file/elf_file.hpp"
#include "plugins/file/service_facts.hpp"
#include "plugins/file/symbols.hpp"

namespace busbar::host {

namespace {

std::string name_in(const ElfFile& file, std::uint64_t offset) {
  std::string name;
  const auto look = [&](const ElfSymbol& symbol) {
    if (symbol.type != STT_FUNC || !symbol.defined()) return;
    if (offset >= symbol.value && offset < symbol.value + symbol.size) name = symbol_text(symbol.name);
  };
  file.for_each_symbol(look);
  if (name.empty()) file.for_each_linker_symbol(look);
  return name;
}

}  // namespace

std::string function_at(const std::vector<MappedImage>& images, const void* address) {
  for (const MappedImage& image : images) {
    if (!image.range.has(address)) continue;
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(address) - image.base;
    try {
      if (std::string name = name_in(ElfFile(image.path), offset); !name.empty()) return name;
    } catch (const FileProblem&) {  // the file may be gone, or another one by now
    }
    std::ostringstream place;
    place << "at offset 0x" << std::hex << offset << " of \"" << printable(image.soname) << "\"";
    return place.str();
  }
  return "at an unknown place";
}

}  // namespace busbar::host
