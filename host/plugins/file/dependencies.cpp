#include "plugins/file/dependencies.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <deque>
#include <set>

#include "plugins/file/ld_cache.hpp"

namespace busbar::host {

namespace {

constexpr std::size_t kMostLibraries = 1000;

/// Where glibc looks at last, as distributions build it; folders of another architecture do no harm, as what is found
/// there is passed over.
constexpr const char* kSystemFolders[] = {
#if defined(__x86_64__)
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
#elif defined(__riscv)
    "/lib/riscv64-linux-gnu",
    "/usr/lib/riscv64-linux-gnu",
#endif
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib"};

/// A library whose needs are still to be looked for.
struct Asking {
  std::string name;  ///< empty: the plugin
  std::filesystem::path folder;
  DynamicFacts dynamic;
  std::vector<std::string> inherited;  ///< folders of the RPATHs of those that asked for it
};

/// The folders of a search path, `$ORIGIN` put in; those with another placeholder, or with one that leads nowhere, are
/// left out.
std::vector<std::string> folders_of(const std::string& path, const std::filesystem::path& origin) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    std::string folder = path.substr(begin, end - begin);
    begin = end + 1;
    for (const char* placeholder : {"${ORIGIN}", "$ORIGIN"}) {
      for (std::size_t at; !origin.empty() && (at = folder.find(placeholder)) != std::string::npos;) {
        folder.replace(at, std::string(placeholder).size(), origin.string());
      }
    }
    if (!folder.empty() && folder.find('$') == std::string::npos) out.push_back(folder);
  }
  return out;
}

class Search {
 public:
  Search() : cache_(LdCache::of_system()) {
    if (const char* path = std::getenv("LD_LIBRARY_PATH")) environment_ = folders_of(path, {});
  }

  /// The library of this soname that the system's loader would take for `asking`. Those that are built for another
  /// machine are passed over, as it does; `why` tells of others that cannot be used.
  std::optional<ElfFile> find(const std::string& soname, const Asking& asking, std::string& why) const {
    for (const std::filesystem::path& path : places(soname, asking)) {
      std::error_code error;
      if (!std::filesystem::exists(path, error)) continue;
      try {
        return ElfFile(path);
      } catch (const FileProblem& e) {
        why = "\"" + path.string() + "\" " + e.what();
      }
    }
    return std::nullopt;
  }

 private:
  std::vector<std::filesystem::path> places(const std::string& soname, const Asking& asking) const {
    if (soname.find('/') != std::string::npos) return {soname};
    std::vector<std::filesystem::path> out;
    const auto add = [&](const std::vector<std::string>& folders) {
      for (const std::string& folder : folders) out.push_back(std::filesystem::path(folder) / soname);
    };
    if (asking.dynamic.runpath.empty()) {  // a RUNPATH makes the loader forget RPATHs, also inherited ones
      add(folders_of(asking.dynamic.rpath, asking.folder));
      add(asking.inherited);
    }
    add(environment_);
    add(folders_of(asking.dynamic.runpath, asking.folder));
    if ((asking.dynamic.flags_1 & DF_1_NODEFLIB) != 0) return out;
    for (auto& path : cache_.find(soname)) out.push_back(std::move(path));
    for (const char* folder : kSystemFolders) out.push_back(std::filesystem::path(folder) / soname);
    return out;
  }

  LdCache cache_;
  std::vector<std::string> environment_;
};

Asking asking_for(const ElfFile& library, const std::string& name, const Asking& asked_by) {
  Asking out{name, library.path().parent_path(), library.dynamic(), asked_by.inherited};
  if (asked_by.dynamic.runpath.empty()) {
    for (auto& folder : folders_of(asked_by.dynamic.rpath, asked_by.folder)) out.inherited.push_back(std::move(folder));
  }
  return out;
}

/// What helps whoever put a helper library beside the plugin, and wonders why it is not found.
std::string hint(const ElfFile& root, const std::string& soname) {
  std::error_code error;
  const std::filesystem::path beside = root.path().parent_path() / soname;
  if (!std::filesystem::exists(beside, error)) return {};
  return "\"" + beside.string() +
         "\" is not looked at, as the host loads a private copy of the plugin from another folder; link it statically";
}

}  // namespace

std::vector<MissingLibrary> visit_dependencies(
    const ElfFile& root, const std::function<void(const std::string& soname, const ElfFile& library)>& visit) {
  const Search search;
  std::vector<MissingLibrary> missing;
  std::set<std::string> seen;
  std::deque<Asking> queue{{"", {}, root.dynamic(), {}}};
  while (!queue.empty()) {
    const Asking asking = std::move(queue.front());
    queue.pop_front();
    for (const std::string& soname : asking.dynamic.needed) {
      if (!seen.insert(soname).second || seen.size() > kMostLibraries) continue;
      std::string why = asking.name.empty() ? hint(root, soname) : "";
      if (auto library = search.find(soname, asking, why)) {
        visit(soname, *library);
        queue.push_back(asking_for(*library, soname, asking));
        seen.insert(library->dynamic().soname);
      } else {
        missing.push_back({soname, asking.name, why});
      }
    }
  }
  return missing;
}

std::optional<std::filesystem::path> mapped_instead(const std::string& soname, const std::filesystem::path& found) {
  void* handle = dlopen(soname.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
  if (handle == nullptr) return std::nullopt;
  const link_map* image = nullptr;
  std::filesystem::path mapped;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &image) == 0) mapped = image->l_name;
  dlclose(handle);
  std::error_code error;
  if (mapped.empty() || std::filesystem::equivalent(mapped, found, error)) return std::nullopt;
  return mapped;
}

}  // namespace busbar::host
