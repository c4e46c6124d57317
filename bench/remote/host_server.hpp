// A host with the benchmark's plugin, in another process: what `busbard` is, in a directory of its own.
#pragma once

#include <filesystem>
#include <string>

#include "remote/process.hpp"

namespace bench {

// Runs where the thread that makes it may run.
class HostServer {
 public:
  // `keys`: a directory of BenchKeys; empty: without keys.
  explicit HostServer(const std::string& keys = {});
  ~HostServer();
  HostServer(const HostServer&) = delete;
  HostServer& operator=(const HostServer&) = delete;

  // What others join through.
  const std::string& seed() const { return seed_; }
  ServerProcess& process() { return process_; }
  const ServerProcess& process() const { return process_; }

 private:
  const std::filesystem::path directory_;
  ServerProcess process_;
  const std::string seed_;
};

// What a process does that was started with `--serve host`; does not return.
void serve_host(const std::string& directory, const std::string& keys);

}  // namespace bench
