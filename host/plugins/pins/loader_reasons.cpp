#include "plugins/pins/loader_reasons.hpp"

#include <dlfcn.h>

#include <fstream>
#include <vector>

#include "plugins/file/elf_file.hpp"
#include "plugins/file/service_facts.hpp"
#include "plugins/file/symbols.hpp"

namespace busbar::host {

namespace {

constexpr std::size_t kMostNamed = 3;

bool has_thread_local_destructors(const ElfFile& file) {
  bool has = false;
  file.for_each_symbol([&](const ElfSymbol& symbol) { has |= symbol.name.starts_with("__cxa_thread_atexit"); });
  return has;
}

// Which of them has a destructor the file does not say.
std::string thread_locals_of(const ElfFile& file) {
  std::vector<std::string> names;
  file.for_each_linker_symbol([&](const ElfSymbol& symbol) {
    const bool is_guard = symbol.name.starts_with("_ZGV") || symbol.name == "__tls_guard";
    if (symbol.type == STT_TLS && symbol.defined() && !is_guard) names.push_back(symbol_text(symbol.name));
  });
  return names.empty() ? "" : ": " + in_one_line(names, ", ", kMostNamed);
}

}  // namespace

KeptByLoader why_loader_keeps(const std::filesystem::path& library) {
  try {
    const ElfFile file(library);
    if ((file.dynamic().flags_1 & DF_1_NODELETE) != 0) {
      return {"it is linked with -z nodelete, by which the system's loader never unmaps it", true};
    }
    if (const Exports exports = exports_of(file); !exports.unique.empty()) {
      return {"it defines unique symbols, which the system's loader never unmaps: " +
                  in_one_line(exports.unique, ", ", kMostNamed) + "; build it with -fno-gnu-unique",
              true};
    }
    if (has_thread_local_destructors(file)) {
      return {"threads that live still have thread_local objects of it whose destructors are to run when they end" +
              thread_locals_of(file)};
    }
  } catch (const FileProblem& problem) {
    return {std::string("the system's loader keeps it mapped, and why cannot be told: its copy ") + problem.what()};
  }
  return {"the system's loader keeps it mapped: another library needs it, or it has opened itself"};
}

bool is_mapped(const std::filesystem::path& library) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(library.native()) != std::string::npos) return true;  // " (deleted)" may stand behind it
  }
  return false;
}

// The loader thinks of that only when something is closed.
bool is_kept_after_another_look(const std::filesystem::path& library) {
  void* again = dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
  if (again != nullptr) dlclose(again);
  return is_mapped(library);
}

}  // namespace busbar::host
