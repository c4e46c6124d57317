// Addresses: what is one, who can reach it, and what others are told.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

#include "busbar/registry/net/socket.hpp"

namespace busbar::registry::net {

namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kIpc = "ipc://";

struct HostAndPort {
  std::string_view host;  // without the brackets of an IPv6 address
  std::string_view port;
};

std::optional<HostAndPort> split(std::string_view address) {
  if (!address.starts_with(kTcp)) return std::nullopt;
  address.remove_prefix(kTcp.size());
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  HostAndPort parts{address.substr(0, colon), address.substr(colon + 1)};
  if (parts.host.starts_with('[') != parts.host.ends_with(']')) return std::nullopt;
  if (parts.host.starts_with('[')) {
    parts.host.remove_prefix(1);
    parts.host.remove_suffix(1);
    if (parts.host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (parts.host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  return parts;
}

bool is_ipv6(std::string_view host) {
  in6_addr address;
  return inet_pton(AF_INET6, std::string(host).c_str(), &address) == 1;
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  if (host.find(':') != std::string_view::npos) return is_ipv6(host.substr(0, host.find('%')));
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

bool is_port(std::string_view port, bool bind) {
  if (bind && port == "*") return true;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc{} && end == port.data() + port.size() && number <= 65'535 && (bind || number != 0);
}

bool is_wildcard(std::string_view host) { return host == "*" || host == "0.0.0.0" || host == "::"; }

bool is_ipv4(std::string_view host) {
  in_addr address;
  return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

// The address as text, or nothing for one that others cannot use.
std::optional<std::string> text_of(const sockaddr* address, int family) {
  if (address == nullptr || address->sa_family != family) return std::nullopt;
  char text[INET6_ADDRSTRLEN] = "";
  if (family == AF_INET) {
    inet_ntop(family, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(&v6)) return std::nullopt;  // means nothing without an interface
    inet_ntop(family, &v6, text, sizeof text);
  }
  return text;
}

// IPv4 first, because a socket bound to all hosts serves both.
std::string host_of_this_machine(bool ipv6_too) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return "127.0.0.1";
  std::optional<std::string> found;
  for (const int family : {AF_INET, AF_INET6}) {
    if (family == AF_INET6 && !ipv6_too) break;
    for (const ifaddrs* i = all; i != nullptr && !found; i = i->ifa_next) {
      if ((i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0) found = text_of(i->ifa_addr, family);
    }
  }
  freeifaddrs(all);
  return found.value_or("127.0.0.1");
}

std::string unbracketed(const std::string& host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

std::string advertised_address(const std::string& bound, const std::string& advertise) {
  std::string host = unbracketed(advertise);
  if (!host.empty() && (!is_host(host) || is_wildcard(host))) {
    throw SocketError("cannot advertise '" + advertise +
                      "': expected a host that others can reach, a name or an IP address, without a port");
  }
  const auto parts = split(bound);
  if (!parts) return bound;  // a Unix socket
  if (host.empty()) {
    if (!is_wildcard(parts->host)) return bound;
    host = host_of_this_machine(parts->host != "0.0.0.0");
  }
  return with_host(bound, host);
}

bool is_local_address(std::string_view address) {
  if (address.starts_with(kIpc)) return true;
  const auto parts = split(address);
  return parts && is_loopback(parts->host);
}

bool has_name(std::string_view address) {
  const std::string_view host = host_of(address);
  return !host.empty() && host.find(':') == std::string_view::npos && !is_ipv4(host) && !is_wildcard(host);
}

std::string_view host_of(std::string_view address) {
  const auto parts = split(address);
  return parts ? parts->host : std::string_view();
}

std::string with_host(std::string_view address, std::string_view host) {
  const auto parts = split(address);
  const bool brackets = host.find(':') != std::string_view::npos;
  std::string out(kTcp);
  out.append(brackets ? "[" : "").append(host).append(brackets ? "]:" : ":");
  return out.append(parts ? parts->port : std::string_view());
}

bool is_address(std::string_view address, bool bind) {
  if (address.find('\0') != std::string_view::npos) return false;
  if (address.starts_with(kIpc)) {
    const std::size_t size = address.size() - kIpc.size();
    return size > 0 && size < sizeof(sockaddr_un::sun_path);
  }
  const auto parts = split(address);
  if (!parts) return false;
  const bool host = is_wildcard(parts->host) ? bind : is_host(parts->host);
  return host && is_port(parts->port, bind);
}

}  // namespace busbar::registry::net
