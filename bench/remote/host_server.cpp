#include "remote/host_server.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <stdexcept>

#include "config/config.hpp"
#include "daemon/host.hpp"
#include "remote/bench_keys.hpp"

namespace bench {

namespace {

std::filesystem::path make_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "remote_bench.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("a temporary directory cannot be made: " + name);
  return name;
}

}  // namespace

HostServer::HostServer(const std::string& keys)
    : directory_(make_directory()),
      process_({own_program(), "--serve", "host", "--directory", directory_.string(), "--keys", keys}),
      seed_(process_.line()) {}

HostServer::~HostServer() {
  process_.kill();
  std::filesystem::remove_all(directory_);
}

void serve_host(const std::string& directory, const std::string& keys) {
  using namespace busbar::host;
  Overrides settings = {{"node.name", "provider", "--node"},
                        {"paths.plugins", std::filesystem::path(BENCH_PLUGIN).parent_path(), "--plugins"},
                        {"paths.run", directory + "/run", "--run-dir"},
                        {"paths.state", directory + "/state", "--state-dir"},
                        {"log.level", "error", "--log-level"}};
  if (!keys.empty()) {
    settings.push_back({"security.mode", "curve", "--security-mode"});
    settings.push_back({"security.key", private_file(keys, "provider"), "--security-key"});
    settings.push_back({"security.authorized", authorized(keys), "--security-authorized"});
  }
  const Config config = load_config(std::nullopt, Environment::of_this_process(), settings);
  Host host(config, Logs(config.log), std::filesystem::path(own_program()).replace_filename("busbard"));
  say_to_starter(host.node().registry_address());
  for (;;) ::pause();
}

}  // namespace bench
