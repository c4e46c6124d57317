#include "plugins/file/inspect.hpp"

#include <algorithm>
#include <busbar/cbor/reader.hpp>
#include <busbar/names.hpp>
#include <cstring>

#include "plugins/file/dependencies.hpp"
#include "plugins/file/elf_file.hpp"
#include "plugins/file/symbols.hpp"

namespace busbar::host {

namespace {

constexpr std::size_t kLargestManifest = 16 * 1024 * 1024;

std::string quoted_text(std::string_view text) { return "\"" + printable(text) + "\""; }

std::string flags_text(std::uint32_t flags) {
  std::string out;
  if ((flags & BUSBAR_BUILD_ASAN) != 0) out = "the address sanitizer";
  if ((flags & BUSBAR_BUILD_TSAN) != 0) out += std::string(out.empty() ? "" : " and ") + "the thread sanitizer";
  return out.empty() ? "no sanitizer" : out;
}

/// A text of the descriptor, or nothing when it is not terminated.
template <std::size_t Size>
std::optional<std::string> terminated(const char (&text)[Size]) {
  const std::size_t length = strnlen(text, Size);
  if (length == Size) return std::nullopt;
  return std::string(text, length);
}

/// One inspection: adds what it finds to the result, part by part.
class Inspection {
 public:
  Inspection(PluginFile& out, const ElfFile& elf, const InspectOptions& options)
      : out_(out), elf_(elf), options_(options) {}

  void run() {
    judge_type();
    if (!out_.ok()) return;  // what a program lacks to be a plugin need not be listed
    guarded([this] { judge_descriptor(); });
    guarded([this] { judge_exports(); });
    guarded([this] { judge_dynamic(); });
    guarded([this] { judge_segments(); });
    guarded([this] { judge_dependencies(); });
    guarded([this] { read_manifest(); });
  }

 private:
  /// Each part says for itself what is wrong, so that a person sees everything at once.
  template <class Part>
  void guarded(Part part) {
    try {
      part();
    } catch (const FileProblem& e) {
      if (std::find(out_.problems.begin(), out_.problems.end(), e.what()) == out_.problems.end()) {
        out_.problems.emplace_back(e.what());
      }
      out_.incomplete |= e.incomplete();
    }
  }

  void problem(std::string text) { out_.problems.push_back(std::move(text)); }
  void warn(std::string text) { out_.warnings.push_back(std::move(text)); }

  void judge_type();
  void judge_descriptor();
  void judge_exports();
  void judge_dynamic();
  void judge_segments();
  void judge_dependencies();
  void read_manifest();

  PluginFile& out_;
  const ElfFile& elf_;
  const InspectOptions& options_;
};

void Inspection::judge_type() {
  const bool has_interpreter = std::any_of(elf_.segments().begin(), elf_.segments().end(),
                                           [](const Elf64_Phdr& segment) { return segment.p_type == PT_INTERP; });
  if (elf_.type() != ET_DYN) {
    problem("is a program, not a shared library");
  } else if ((elf_.dynamic().flags_1 & DF_1_PIE) != 0 || (has_interpreter && elf_.dynamic().soname.empty())) {
    problem("is a program (position-independent), not a shared library");
  }
}

void Inspection::judge_descriptor() {
  const busbar_descriptor descriptor = read_descriptor(elf_);
  out_.descriptor = descriptor;
  const auto name = terminated(descriptor.name);
  const auto version = terminated(descriptor.version);
  if (!name) {
    problem("its plugin name is not terminated");
  } else if (!is_plugin_name(*name)) {
    problem("bad plugin name " + quoted_text(*name) + ", expected [A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  } else {
    out_.name = *name;
  }
  if (!version) {
    problem("its plugin version is not terminated");
  } else if (version->empty()) {
    problem("its plugin version is empty");
  } else if (printable(*version) != *version) {
    problem("bad plugin version " + quoted_text(*version) + ", expected UTF-8 without control characters");
  } else {
    out_.version = *version;
  }
  out_.compiler = printable(terminated(descriptor.compiler).value_or("unknown"));
  while (out_.compiler.ends_with(' ')) out_.compiler.pop_back();  // clang ends its version with one
  if (descriptor.build_flags != options_.build_flags) {
    problem("is built with " + flags_text(descriptor.build_flags) + ", this host with " +
            flags_text(options_.build_flags) + "; both must be built alike");
  }
  // An image that a sanitizer watches is kept: without it reports could name no place in it.
  if (descriptor.build_flags != 0) out_.unloadable = false;
}

void Inspection::judge_exports() {
  const Exports exports = exports_of(elf_);
  if (!exports.entry) problem("exports no function \"" BUSBAR_ENTRY_SYMBOL "\"");
  if (exports.entry_blank) {
    throw FileProblem("is incomplete: there are zeros where \"" BUSBAR_ENTRY_SYMBOL "\" should be", true);
  }
  if (!exports.unique.empty()) {
    out_.unloadable = false;
    warn("would stay mapped after an unload, as it defines " + std::to_string(exports.unique.size()) +
         (exports.unique.size() == 1 ? " unique symbol: " : " unique symbols: ") +
         in_one_line(exports.unique, ", ", 5) + "; build it with -fno-gnu-unique");
  }
  if (exports.entry && !exports.others.empty()) {
    warn("exports more than its entry function: " + in_one_line(exports.others, ", ", 5) +
         "; build it with hidden visibility and a version script");
  }
}

void Inspection::judge_dynamic() {
  const DynamicFacts& dynamic = elf_.dynamic();
  for (const std::string& needed : dynamic.needed) {
    out_.needed.push_back(printable(needed));
    if (needed.starts_with("libspdlog.")) {
      warn("links " + quoted_text(needed) +
           ", whose loggers and shutdown it would share with the host; log through the "
           "plugin's context instead");
    }
  }
  if ((dynamic.flags_1 & DF_1_NODELETE) != 0) {
    out_.unloadable = false;
    warn("would stay mapped after an unload, as it is linked with -z nodelete");
  }
  out_.static_tls = (dynamic.flags & DF_STATIC_TLS) != 0;
}

void Inspection::judge_segments() {
  bool stack_described = false;
  std::uint64_t tls_size = 0;
  for (const Elf64_Phdr& segment : elf_.segments()) {
    if (segment.p_type == PT_TLS) tls_size = segment.p_memsz;
    if (segment.p_type != PT_GNU_STACK) continue;
    stack_described = true;
    if ((segment.p_flags & PF_X) != 0) warn("asks for an executable stack");
  }
  if (!stack_described) warn("does not say that its stack need not be executable, so that it would be made so");
  if (out_.static_tls) {
    warn("uses static thread-local storage (" + std::to_string(tls_size) +
         " bytes), of which a process has little; every version of it that is kept takes some");
  }
}

void Inspection::judge_dependencies() {
  const std::uint32_t flags = out_.descriptor ? out_.descriptor->build_flags : 0;
  SymbolDemand demand(elf_, flags != 0);
  const auto missing = visit_dependencies(elf_, [&](const std::string& soname, const ElfFile& library) {
    demand.offer(soname, library);
    if (const auto mapped = mapped_instead(soname, library.path())) {
      warn("needs " + quoted_text(soname) + ", which is mapped from " + quoted_text(mapped->string()) +
           " already: " + quoted_text(library.path().string()) +
           " is not used, as the system's loader has one library of a name; link one of them statically");
    }
  });
  for (const MissingLibrary& library : missing) {
    problem("needs library " + quoted_text(library.soname) +
            (library.needed_by.empty() ? "" : " (needed by " + quoted_text(library.needed_by) + ")") +
            ", which was not found" + (library.why.empty() ? "" : ": " + library.why));
  }
  if (!demand.missing_versions().empty()) {
    problem("needs what the libraries here are too old for: version " +
            in_one_line(demand.missing_versions(), ", version "));
  }
  // What a missing library defines cannot be known: it is enough to name that.
  if (const auto symbols = demand.missing_symbols(); missing.empty() && !symbols.empty()) {
    problem("undefined symbol " + in_one_line(symbols, ", "));
  }
  if (demand.has_thread_local_destructors()) {
    warn("has destructors of thread_local objects: it stays mapped while a thread lives that has made one");
  }
}

void Inspection::read_manifest() {
  const auto bytes = elf_.section(BUSBAR_MANIFEST_SECTION, kLargestManifest);
  if (!bytes) return;
  try {
    // First ours, which bounds nesting: the reader behind it recurses.
    cbor::check_well_formed(*bytes);
    const nlohmann::json manifest =
        nlohmann::json::from_cbor(*bytes, true, true, nlohmann::json::cbor_tag_handler_t::ignore);
    out_.router = router_from_json(manifest);
    for (const std::string& wrong : problems_of(*out_.router)) problem("in its manifest: " + wrong);
  } catch (const FileProblem&) {
    throw;
  } catch (const std::exception& e) {
    // The list is for people; the trial and the loader ask the plugin itself.
    warn("its manifest of services cannot be read: " + printable(e.what()));
  }
}

}  // namespace

std::string PluginFile::reason() const { return in_one_line(problems); }

PluginFile inspect(const std::filesystem::path& path, const InspectOptions& options) {
  PluginFile out;
  out.file = path.string();
  try {
    const ElfFile elf(path);
    out.unloadable = true;
    Inspection(out, elf, options).run();
  } catch (const FileProblem& e) {
    out.problems.emplace_back(e.what());
    out.incomplete = e.incomplete();
  } catch (const std::exception& e) {  // no memory, say; whatever it is, the host goes on
    out.problems.push_back(std::string("could not be inspected: ") + e.what());
  }
  if (!out.ok()) out.unloadable = false;
  return out;
}

}  // namespace busbar::host
