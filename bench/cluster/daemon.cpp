#include "cluster/daemon.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "admin_client.hpp"
#include "failure.hpp"

namespace bench {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kLimit{60};

fs::path build_directory() { return fs::path(own_program()).parent_path().parent_path(); }

std::vector<std::string> command_of(const std::string& node, const fs::path& directory,
                                    const std::vector<std::string>& more) {
  std::vector<std::string> command = {build_directory() / "bin/busbard",
                                      "--node",
                                      node,
                                      "--plugins",
                                      directory / "plugins",
                                      "--run-dir",
                                      directory / "run",
                                      "--state-dir",
                                      directory / "state",
                                      "--log-level",
                                      "error"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

// A number in kB out of a file of /proc.
double megabytes(const std::string& file, const std::string& field) {
  std::ifstream in(file);
  double sum = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(field, 0) == 0) sum += std::stod(line.substr(line.find(':') + 1)) / 1e3;
  }
  return sum;
}

}  // namespace

ClusterDirectory::ClusterDirectory() {
  std::string name = (fs::temp_directory_path() / "cluster_bench.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("a temporary directory cannot be made: " + name);
  path_ = name;
}

ClusterDirectory::~ClusterDirectory() {
  std::error_code ignored;  // a host that was killed may still be leaving
  fs::remove_all(path_, ignored);
}

fs::path ClusterDirectory::add(const std::string& node) const {
  const fs::path directory = path_ / node;
  fs::create_directories(directory / "plugins");
  for (const char* plugin : {"accounts.so", "echo.so", "greeter.so"}) {
    fs::copy_file(build_directory() / "plugins" / plugin, directory / "plugins" / plugin);
  }
  return directory;
}

Daemon::Daemon(const std::string& node, fs::path directory, const std::vector<std::string>& more)
    : node_(node), directory_(std::move(directory)), process_(command_of(node, directory_, more)) {}

nlohmann::json Daemon::ask(std::string_view verb) const {
  const auto until = std::chrono::steady_clock::now() + kLimit;
  busbar::wire::AdminRequest request;
  request.verb = verb;
  for (;;) {
    try {
      const auto answer = busbar::cli::AdminClient(directory_ / "run").ask(request);
      return busbar::cbor::to_json(answer.document.value());
    } catch (const busbar::cli::Failure& failure) {
      if (std::chrono::steady_clock::now() > until) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Resources resources_of(pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  Resources out;
  out.resident_mb = megabytes(proc + "/smaps_rollup", "Rss:");
  out.own_mb = megabytes(proc + "/smaps_rollup", "Private_");
  out.proportional_mb = megabytes(proc + "/smaps_rollup", "Pss:");
  out.threads = static_cast<int>(std::distance(fs::directory_iterator(proc + "/task"), fs::directory_iterator()));
  out.descriptors = static_cast<int>(std::distance(fs::directory_iterator(proc + "/fd"), fs::directory_iterator()));
  return out;
}

std::string free_address() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("no address of this machine is free");
  return "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

}  // namespace bench
