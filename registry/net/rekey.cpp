#include "busbar/registry/net/rekey.hpp"

#include "busbar/registry/net/socket.hpp"

#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace busbar::registry::net {

namespace {

[[noreturn]] void fail(std::string_view what, int error) {
  throw SocketError("cannot listen with another key: " + std::string(what) + ": " + std::strerror(error) +
                    "; restart to have it");
}

struct LocalAddress {
  explicit LocalAddress(int descriptor) {
    is_known = ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) == 0;
  }
  /// As libzmq writes it. Empty: it is none of TCP.
  std::string text() const {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    const bool is_ip = is_known && (storage.ss_family == AF_INET || storage.ss_family == AF_INET6);
    if (!is_ip || ::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), size, host.data(), host.size(),
                                port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
      return {};
    }
    const std::string name = storage.ss_family == AF_INET6 ? "[" + std::string(host.data()) + "]" : host.data();
    return "tcp://" + name + ":" + port.data();
  }

  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  bool is_known = false;
};

int option_of(int descriptor, int level, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, level, name, &value, &size) == 0 ? value : 0;
}

void set_option(int descriptor, int level, int name, int value) {
  if (::setsockopt(descriptor, level, name, &value, sizeof value) != 0) fail("cannot set up the listener", errno);
}

// This process's descriptors that listen there: libzmq tells nobody which it has.
std::vector<int> listeners_at(const std::string& endpoint) {
  std::vector<int> found;
  std::error_code none;  // without /proc nothing is found, which is said then
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", none)) {
    const std::string name = entry.path().filename();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (option_of(descriptor, SOL_SOCKET, SO_ACCEPTCONN) != 0 && LocalAddress(descriptor).text() == endpoint) {
      found.push_back(descriptor);
    }
  }
  return found;
}

/// A descriptor until libzmq has taken it over. -1: none.
class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const noexcept { return descriptor_; }
  void taken() noexcept { descriptor_ = -1; }

 private:
  int descriptor_;
};

// Of the listeners of a port, which the kernel numbers as they came, this one gets every connection.
void give_all_to(int descriptor, unsigned number) {
  std::array<sock_filter, 1> program = {sock_filter{BPF_RET | BPF_K, 0, 0, number}};
  const sock_fprog filter{program.size(), program.data()};
  if (::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof filter) != 0) {
    fail("cannot direct connections to the new listener", errno);
  }
}

Descriptor listen_beside(const std::vector<int>& before, int backlog) {
  const LocalAddress address(before.front());
  for (const int descriptor : before) set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  Descriptor listener(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener.get() < 0) fail("no descriptor", errno);
  set_option(listener.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(listener.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.storage.ss_family == AF_INET6) {
    set_option(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, option_of(before.front(), IPPROTO_IPV6, IPV6_V6ONLY));
  }
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 ||
      ::listen(listener.get(), backlog) != 0) {
    fail("cannot open the port a second time", errno);
  }
  give_all_to(listener.get(), static_cast<unsigned>(before.size()));
  return listener;
}

void use_for_bind(zmq::socket_t& router, int descriptor) {
  if (zmq_setsockopt(router.handle(), ZMQ_USE_FD, &descriptor, sizeof descriptor) != 0) throw zmq::error_t();
}

}  // namespace

void take_key(zmq::socket_t& router, const keys::SecretKey& key) {
  const std::string endpoint = router.get(zmq::sockopt::last_endpoint);
  Descriptor listener;  // none for a Unix socket: libzmq binds another one to the path
  if (endpoint.starts_with("tcp://")) {
    const std::vector<int> before = listeners_at(endpoint);
    if (before.empty()) fail("nothing listens at " + endpoint, ENOENT);
    listener = listen_beside(before, router.get(zmq::sockopt::backlog));
  }
  try {
    router.set(zmq::sockopt::curve_secretkey, key.text());
    use_for_bind(router, listener.get());
    router.bind(endpoint);
    listener.taken();
    use_for_bind(router, -1);
  } catch (const zmq::error_t& error) {
    constexpr int kNone = -1;
    zmq_setsockopt(router.handle(), ZMQ_USE_FD, &kNone, sizeof kNone);  // it is closed
    fail("libzmq does not take the listener", error.num());
  }
}

}  // namespace busbar::registry::net
