#include "transport/handshake.hpp"

#include <busbar/cbor/sink.hpp>
#include <busbar/names.hpp>

namespace busbar::host {

namespace {

constexpr std::size_t kLongestShown = 64;

std::string version_text(std::uint32_t major, std::uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

std::string_view role_text(wire::Role role) { return role == wire::Role::node ? "node" : "client"; }

Refusal other_major(const wire::Envelope& hello, const CallPlaneOptions& own) {
  return {"protocol", "node '" + own.node + "' speaks version " +
                          version_text(wire::kCallProtocolMajor, wire::kCallProtocolMinor) +
                          " of the call protocol, and was greeted in version " +
                          version_text(hello.major, hello.minor) + ": the older one of the two must be updated"};
}

Refusal other_cluster(const wire::Envelope& hello, const CallPlaneOptions& own) {
  return {"cluster", "node '" + own.node + "' is of cluster '" + own.cluster + "', and was greeted by " +
                         std::string(role_text(hello.role)) + " '" + shown(hello.node) + "' of cluster '" +
                         shown(hello.cluster) + "': both need the same cluster name"};
}

Refusal no_name(const wire::Envelope& hello, const CallPlaneOptions& own) {
  return {"name", "node '" + own.node + "' was greeted by a " + std::string(role_text(hello.role)) + " called '" +
                      shown(hello.node) + "', which is no node name: expected " + std::string(kNodeNameRule)};
}

Refusal no_room(const wire::Envelope& hello, const CallPlaneOptions& own) {
  return {"protocol", "node '" + own.node + "' was greeted by '" + shown(hello.node) +
                          "', which takes frames of at most " + std::to_string(hello.max_message) +
                          " bytes: at least " + std::to_string(kLeastMaxMessage) + " are needed"};
}

// A node may also call as a client; a client without a name is called as its key says.
bool is_what_its_key_says(const wire::Envelope& hello, const keys::Identity& proven) {
  if (hello.role == wire::Role::node) return proven.role == keys::Role::node && hello.node == proven.name;
  return hello.node.empty() || hello.node == proven.name;
}

Refusal other_key(const wire::Envelope& hello, const CallPlaneOptions& own, const keys::Identity& proven) {
  return {"key", "node '" + own.node + "' was greeted by " + std::string(role_text(hello.role)) + " '" +
                     shown(hello.node) + "' with the key of " + std::string(keys::name_of(proven.role)) + " '" +
                     proven.name + "': name and role must be those of the key"};
}

std::string differs(const char* what, std::string_view found, std::string_view expected) {
  return what + (" '" + shown(found)) + "', expected '" + std::string(expected) + "'";
}

}  // namespace

std::string shown(std::string_view text) {
  if (text.size() <= kLongestShown) return std::string(text);
  std::size_t end = kLongestShown;  // not in the middle of a character
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::optional<Refusal> judge_hello(const wire::Envelope& hello, const CallPlaneOptions& own,
                                   const keys::Identity* proven) {
  if (hello.major != wire::kCallProtocolMajor) return other_major(hello, own);
  if (hello.cluster != own.cluster) return other_cluster(hello, own);
  const bool nameless_client = hello.role == wire::Role::client && hello.node.empty();
  if (!nameless_client && !is_node_name(hello.node)) return no_name(hello, own);
  if (proven != nullptr && !is_what_its_key_says(hello, *proven)) return other_key(hello, own, *proven);
  if (hello.max_message < kLeastMaxMessage) return no_room(hello, own);
  return std::nullopt;
}

std::optional<std::string> judge_welcome(const wire::Envelope& welcome, const CallPlaneOptions& own,
                                         std::string_view node, std::uint64_t incarnation) {
  if (welcome.type == wire::EnvelopeType::refused) return "it refuses this node: " + std::string(welcome.text);
  if (welcome.major != wire::kCallProtocolMajor) {
    return differs("it speaks call protocol", std::to_string(welcome.major), std::to_string(wire::kCallProtocolMajor)) +
           ": hosts of these versions cannot call each other";
  }
  if (welcome.type != wire::EnvelopeType::welcome) return "it sent something else before its welcome";
  if (welcome.cluster != own.cluster) return differs("it belongs to cluster", welcome.cluster, own.cluster);
  if (welcome.node != node) return differs("it is node", welcome.node, node);
  if (welcome.incarnation != incarnation) {
    return differs("it is incarnation", std::to_string(welcome.incarnation), std::to_string(incarnation));
  }
  if (welcome.max_message < kLeastMaxMessage) {
    return "it takes frames of at most " + std::to_string(welcome.max_message) + " bytes: at least " +
           std::to_string(kLeastMaxMessage) + " are needed";
  }
  return std::nullopt;
}

std::vector<std::uint8_t> introduction(wire::EnvelopeType type, const CallPlaneOptions& own) {
  wire::Envelope envelope;
  envelope.type = type;
  envelope.major = wire::kCallProtocolMajor;
  envelope.minor = wire::kCallProtocolMinor;
  envelope.cluster = own.cluster;
  envelope.node = own.node;
  envelope.incarnation = own.incarnation();
  envelope.role = wire::Role::node;
  envelope.max_message = own.max_message;
  cbor::ByteSink sink;
  wire::write_envelope(sink, envelope);
  return sink.take();
}

}  // namespace busbar::host
