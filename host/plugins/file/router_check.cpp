#include "plugins/file/router_check.hpp"

#include <busbar/strategy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace busbar::host {

namespace {

/// More than any router has; a larger number is taken for a struct that is not what it says.
constexpr std::uint32_t kMostServices = 4096;

/// Up to and including this member a struct of ABI 1.0 reaches; smaller ones are broken, larger ones are newer.
#define BUSBAR_SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(type::member))

template <class Struct>
Struct read_struct(const Struct* from, std::size_t at_least, const std::string& what) {
  const std::size_t size = from->struct_size;
  if (size < at_least) {
    throw PluginError(what + " has " + std::to_string(size) + " bytes, expected at least " + std::to_string(at_least));
  }
  Struct out{};
  std::memcpy(&out, from, std::min(size, sizeof(Struct)));
  return out;
}

std::string to_string(busbar_text text) {
  return text.data == nullptr ? std::string() : std::string(text.data, text.size);
}

ServiceFacts read_service(const busbar_service* from, std::uint32_t index) {
  const std::string what = "service " + std::to_string(index + 1) + " of its router";
  if (from == nullptr) throw PluginError(what + " is null");
  const auto service = read_struct(from, BUSBAR_SIZE_UP_TO(busbar_service, data), what);
  ServiceFacts facts;
  facts.name = to_string(service.name);
  facts.doc = to_string(service.doc);
  facts.is_private = (service.flags & BUSBAR_SERVICE_PRIVATE) != 0;
  facts.is_inline = (service.flags & BUSBAR_SERVICE_INLINE) != 0;
  facts.idempotent = (service.flags & BUSBAR_SERVICE_IDEMPOTENT) != 0;
  facts.dry_run_safe = (service.flags & BUSBAR_SERVICE_DRY_RUN_SAFE) != 0;
  facts.timeout_ms = service.timeout_ms;
  facts.strategy = name_of(strategy_of(service.strategy));
  facts.sticky_field = to_string(service.sticky_field);
  facts.limit = {service.max_running, service.max_queued};
  facts.request_schema = to_string(service.request_schema);
  facts.response_schema = to_string(service.response_schema);
  facts.example = to_string(service.example);
  facts.example_assigns = to_string(service.example_assigns);
  return facts;
}

/// The system loader's own words in what Boost.DLL throws, which is "… failed (WORDS): Bad file descriptor"; the part
/// after the brackets is wrong for every failure.
std::string loader_text(const std::string& thrown, const std::filesystem::path& path) {
  const auto open = thrown.find('(', thrown.find("failed"));
  const auto close = thrown.rfind(')');
  std::string text = thrown;
  if (open != std::string::npos && close != std::string::npos && close > open) {
    text = thrown.substr(open + 1, close - open - 1);
  }
  for (const std::string& prefix : {std::string("dlerror system message: "), path.string() + ": "}) {
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
  }
  return text;
}

}  // namespace

boost::dll::shared_library map_library(const std::filesystem::path& path) {
  if (!path.is_absolute()) throw PluginError("could not load \"" + path.string() + "\": the path is not absolute");
  try {
    // Now: a symbol that is missing shows here instead of ending the process at the first call. Local: no plugin's
    // symbol ever answers for another's. No decorations, no system folders: this very file or none.
    return boost::dll::shared_library(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::system_error& e) {
    throw PluginError("the system's loader refused it: " + printable(loader_text(e.what(), path), 1000));
  }
}

const busbar_plugin& find_plugin(const boost::dll::shared_library& library, const busbar_descriptor& from_file) {
  if (!library.has(BUSBAR_ENTRY_SYMBOL)) throw PluginError("it exports no \"" BUSBAR_ENTRY_SYMBOL "\"");
  const busbar_plugin* plugin = library.get<const busbar_plugin*()>(BUSBAR_ENTRY_SYMBOL)();
  if (plugin == nullptr) throw PluginError("its \"" BUSBAR_ENTRY_SYMBOL "\" returned nothing");
  const auto table = read_struct(plugin, BUSBAR_SIZE_UP_TO(busbar_plugin, create), "its plugin table");
  if (table.descriptor == nullptr) throw PluginError("its plugin table has no descriptor");
  if (std::memcmp(table.descriptor, &from_file, sizeof from_file) != 0) {
    throw PluginError("the descriptor in memory differs from the one in its file");
  }
  if (table.create == nullptr) throw PluginError("its plugin table has no \"create\" function");
  return *plugin;
}

const busbar_router& create_router(const busbar_plugin& plugin, const busbar_host& host) {
  busbar_error error{};
  error.struct_size = sizeof error;
  const busbar_router* router = nullptr;
  try {
    router = plugin.create(&host, &error);
  } catch (const std::exception& e) {
    // The boundary forbids it, but catching it here costs nothing and names the culprit.
    throw PluginError("its constructor let an exception escape: " + printable(e.what()));
  } catch (...) {
    throw PluginError("its constructor let an exception escape");
  }
  if (router != nullptr) return *router;
  const std::string said(error.text, std::min<std::size_t>(error.size, sizeof error.text));
  throw PluginError(said.empty() ? "its constructor failed without saying why"
                                 : "its constructor failed: " + printable(said, sizeof error.text));
}

busbar_router read_router(const busbar_router& router) {
  const auto copy = read_struct(&router, BUSBAR_SIZE_UP_TO(busbar_router, destroy), "its router");
  if (copy.handle == nullptr) throw PluginError("its router has no \"handle\" function");
  if (copy.destroy == nullptr) throw PluginError("its router has no \"destroy\" function");
  if (copy.service_count > kMostServices) {
    throw PluginError("its router offers " + std::to_string(copy.service_count) + " services, at most " +
                      std::to_string(kMostServices) + " are possible");
  }
  if (copy.service_count > 0 && copy.services == nullptr) throw PluginError("its router's services are null");
  return copy;
}

RouterFacts read_facts(const busbar_router& router) {
  const busbar_router copy = read_router(router);
  RouterFacts facts{{copy.max_running, copy.max_queued}, {}};
  for (std::uint32_t i = 0; i < copy.service_count; ++i) facts.services.push_back(read_service(copy.services[i], i));
  const std::vector<std::string> problems = problems_of(facts);
  if (!problems.empty()) throw PluginError(in_one_line(problems));
  return facts;
}

}  // namespace busbar::host
