#include "reload/reloaded_host.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace bench {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFile = "versioned.so";

fs::path file_of(std::int64_t version) { return version == 1 ? RELOAD_PLUGIN : RELOAD_PLUGIN_NEWER; }

fs::path make_directory(const ClusterDirectory& root) {
  const fs::path directory = root.path() / "a";
  fs::create_directories(directory / "plugins");
  fs::copy_file(file_of(1), directory / "plugins" / kFile);
  return directory;
}

}  // namespace

ReloadedHost::ReloadedHost() : directory_(make_directory(root_)), daemon_("a", directory_, {}) {
  while (!daemon_.ask("status").at("ready").get<bool>()) ::usleep(10'000);
  client_ = std::make_unique<busbar::cli::AdminClient>(directory_ / "run");
  if (call() != 1) throw std::runtime_error("another version serves than the one that was put there");
}

std::string ReloadedHost::seed() const { return daemon_.ask("status").at("cluster").at("registry_address"); }

std::uint64_t ReloadedHost::generation() const {
  std::uint64_t newest = 0;
  const nlohmann::json document = daemon_.ask("plugins");
  for (const auto& row : document.at("plugins")) {
    newest = std::max(newest, row.at("generation").get<std::uint64_t>());
  }
  return newest;
}

std::int64_t ReloadedHost::move_in() {
  version_ = version_ == 1 ? 2 : 1;
  fs::copy_file(file_of(version_), directory_ / "next.so", fs::copy_options::overwrite_existing);
  fs::rename(directory_ / "next.so", directory_ / "plugins" / kFile);
  return version_;
}

std::int64_t ReloadedHost::call() {
  busbar::wire::AdminRequest request;
  request.verb = busbar::wire::admin_verb::kCall;
  request.service = "version_inline";
  const auto answer = client_->ask(request);
  const auto response = busbar::wire::from_wire(answer.reply.value().response);
  if (!response.succeeded()) throw std::runtime_error("a call has failed: " + std::string(response.text()));
  return response.value_as<std::int64_t>();
}

}  // namespace bench
