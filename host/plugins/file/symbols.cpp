#include "plugins/file/symbols.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

namespace {

/// A name of a few hundred bytes can mean gigabytes of text, as its parts may refer to one another.
constexpr std::size_t kLongestDemangled = 160;

bool exported(const ElfSymbol& symbol) {
  return symbol.defined() && symbol.section != SHN_ABS && symbol.binding != STB_LOCAL &&
         (symbol.visibility == STV_DEFAULT || symbol.visibility == STV_PROTECTED);
}

/// Names that linkers add on their own.
bool of_linker(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames{"_init", "_fini", "__bss_start", "_edata",
                                                   "_end",  "edata", "end",         "__end__"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool of_sanitizer(std::string_view name) {
  constexpr std::array<std::string_view, 6> kPrefixes{"__asan_",      "__tsan_", "__ubsan_",
                                                      "__sanitizer_", "__lsan_", "__sancov_"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::string symbol_text(std::string_view name) {
  std::string text = "\"" + printable(name) + "\"";
  if (!name.starts_with("_Z") || name.size() > kLongestDemangled) return text;
  int status = 0;
  char* demangled = abi::__cxa_demangle(std::string(name).c_str(), nullptr, nullptr, &status);
  if (status == 0 && demangled != nullptr) text += " (" + printable(demangled) + ")";
  std::free(demangled);
  return text;
}

Exports exports_of(const ElfFile& plugin) {
  Exports out;
  plugin.for_each_symbol([&](const ElfSymbol& symbol) {
    if (symbol.defined() && symbol.binding == STB_GNU_UNIQUE) out.unique.push_back(symbol_text(symbol.name));
    if (!exported(symbol) || of_linker(symbol.name)) return;
    if (symbol.name != BUSBAR_ENTRY_SYMBOL) {
      out.others.push_back(symbol_text(symbol.name));
    } else if (symbol.type == STT_FUNC || symbol.type == STT_NOTYPE || symbol.type == STT_GNU_IFUNC) {
      out.entry = true;
      out.entry_blank = plugin.blank_at(symbol.value, 16);
    }
  });
  return out;
}

SymbolDemand::SymbolDemand(const ElfFile& library, bool sanitized) : versions_(library.needed_versions()) {
  library.for_each_symbol([&](const ElfSymbol& symbol) {
    if (symbol.name.starts_with("__cxa_thread_atexit")) thread_local_destructors_ = true;
    if (symbol.defined() || symbol.binding == STB_WEAK) return;
    if (sanitized && of_sanitizer(symbol.name)) return;
    if (wanted_.emplace(symbol.name, Wanted{symbol.version}).second) order_.push_back(symbol.name);
    wanted_shapes_.set(shape(symbol.name));
  });
}

/// Below the size of wanted_shapes_. The ends of mangled names are their parameters, and tell most apart.
std::size_t SymbolDemand::shape(std::string_view name) {
  const auto at = [&](std::size_t from_end) { return static_cast<unsigned char>(name[name.size() - from_end]); };
  const std::size_t letters = name.size() < 3 ? 0 : at(1) * 7U + at(2) * 61U + at(3) * 509U;
  return (name.size() * 31 + letters) % 4096;
}

void SymbolDemand::offer(const std::string& soname, const ElfFile& provider) {
  const std::vector<std::string> defined = provider.defined_versions();
  provider.for_each_symbol([&](const ElfSymbol& symbol) {
    if (!exported(symbol) || !wanted_shapes_.test(shape(symbol.name))) return;
    const auto wanted = wanted_.find(symbol.name);
    if (wanted == wanted_.end()) return;
    // A library without versions serves any, as does a plugin that names none.
    if (defined.empty() || wanted->second.version.empty() || wanted->second.version == symbol.version) {
      wanted->second.found = true;
    }
  });
  for (const VersionNeed& need : versions_) {
    if (need.library != soname || need.weak || defined.empty()) continue;
    if (std::find(defined.begin(), defined.end(), need.version) == defined.end()) {
      missing_versions_.push_back("\"" + printable(need.version) + "\" of \"" + printable(soname) + "\"");
    }
  }
}

std::vector<std::string> SymbolDemand::missing_symbols() const {
  std::vector<std::string> out;
  for (const std::string_view name : order_) {
    const Wanted& wanted = wanted_.at(name);
    if (wanted.found) continue;
    out.push_back(symbol_text(name) +
                  (wanted.version.empty() ? "" : " of version \"" + printable(wanted.version) + "\""));
  }
  return out;
}

}  // namespace busbar::host
