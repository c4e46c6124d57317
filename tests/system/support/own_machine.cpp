#include "system/support/own_machine.hpp"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace busbar::system_tests {

namespace {

namespace fs = std::filesystem;

bool command(const std::string& line) { return std::system((line + " 2>/dev/null").c_str()) == 0; }

bool cover(const fs::path& file, const fs::path& with) {
  return !fs::exists(file) || ::mount(with.c_str(), file.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

}  // namespace

OwnMachine::OwnMachine() {
  network_before_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  mounts_before_ = ::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
  directory_ = fs::current_path();
  try {
    enter();
  } catch (const std::runtime_error& error) {
    problem_ = error.what();
  }
}

void OwnMachine::enter() {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
    throw std::runtime_error(std::string("namespaces cannot be made here: ") + std::strerror(errno));
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 || !command("ip link set lo up")) {
    throw std::runtime_error("a network namespace cannot be set up here: that takes ip(8) and mounts of one's own");
  }
  files_ = (fs::temp_directory_path() / "busbar-machine-XXXXXX").string();
  if (::mkdtemp(files_.data()) == nullptr) throw std::runtime_error("no directory for files of its own");
  set_hosts("");
  std::ofstream(files_ + "/nsswitch.conf") << "hosts: files\n";
  std::ofstream(files_ + "/host.conf") << "multi on\n";
  for (const char* name : {"hosts", "nsswitch.conf", "host.conf"}) {
    if (!cover(std::string("/etc/") + name, files_ + "/" + name)) {
      throw std::runtime_error(std::string("host names of its own cannot be mounted here: ") + std::strerror(errno));
    }
  }
}

OwnMachine::~OwnMachine() {
  if (network_before_ >= 0) (void)::setns(network_before_, CLONE_NEWNET);
  if (mounts_before_ >= 0) (void)::setns(mounts_before_, CLONE_NEWNS);
  ::close(network_before_);
  ::close(mounts_before_);
  std::error_code ignored;
  fs::current_path(directory_, ignored);  // a change of the mounts goes to the root
  if (!files_.empty()) fs::remove_all(files_, ignored);
}

bool OwnMachine::add_address(const std::string& address) const {
  command("ip link add this type veth peer name other");
  return command("ip link set other up && ip link set this up") &&
         command("ip address add " + address + " dev this" + (address.find(':') != std::string::npos ? " nodad" : ""));
}

// In place: what is mounted is this very file.
void OwnMachine::set_hosts(std::string_view lines) const {
  std::ofstream(files_ + "/hosts") << "127.0.0.1 localhost\n::1 localhost\n" << lines;
}

}  // namespace busbar::system_tests
