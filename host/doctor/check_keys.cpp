// The node's own key, and those that it lets in.
#include <busbar/keys/authorized.hpp>
#include <busbar/keys/key_file.hpp>

#include <filesystem>

#include "doctor/examined.hpp"

namespace busbar::host::doctor {

namespace {

constexpr const char* kCheck = "keys";

// Nothing: it cannot be used.
std::optional<keys::PublicKey> check_own(const Config& config, Findings& findings) {
  const std::string file = config.security.key.string();
  const std::string make =
      "busbar keygen " + config.node + " --role node --directory " + config.security.key.parent_path().string();
  try {
    const keys::OwnKey own = keys::read_private_file(config.security.key);
    if (own.owner != keys::Identity{config.node, keys::Role::node}) {
      findings.problem(kCheck, file,
                       "it is the key of " + std::string(keys::name_of(own.owner.role)) + " " + own.owner.name,
                       "the key of node " + config.node, make + ", or set node.name or security.key");
      return std::nullopt;
    }
    findings.ok(kCheck, file, "the key of node " + config.node + ", " + own.key.text());
    return own.key;
  } catch (const keys::KeyError& error) {
    findings.problem(
        kCheck, file, error.what(), "the private key of node " + config.node + ", that nobody else can read",
        std::filesystem::exists(config.security.key) ? "chmod 600 " + file + ", or make a new pair: " + make : make);
    return std::nullopt;
  } catch (const std::filesystem::filesystem_error& error) {
    findings.problem(kCheck, file, error.what(), "a file that can be read", make);
    return std::nullopt;
  }
}

void check_members(const Examined& host, const keys::Authorized& authorized, Findings& findings) {
  for (const auto& view : host.answer("/views/views")) {
    const std::string node = view.value("node", "");
    if (node.empty() || !authorized.of_nodes(node).empty()) continue;
    findings.warning(kCheck, node, "this node of the cluster has no key in " + host.config.security.authorized.string(),
                     "a public key for each node", "copy its .pub there: this host cannot let it in");
  }
  const auto unlisted = host.answer("/status/cluster/security/turned_away/unlisted_key");
  if (unlisted.is_number() && unlisted > 0) {
    findings.warning(kCheck, "those who were turned away", unlisted.dump() + " came with a key that is not listed",
                     "none", "the log tells with which key, and from where: list it if it is one of yours");
  }
}

}  // namespace

void check_keys(const Examined& host, Findings& findings) {
  const Config& config = host.config;
  if (config.security.mode != "curve") {
    if (!config.cluster.insecure)
      return findings.ok(kCheck, "security.mode", "no keys; only this machine reaches the host");
    return findings.warning(kCheck, "cluster.insecure", "no keys, and other machines may reach the host",
                            "security.mode = \"curve\", but on a network where everybody is trusted",
                            "make keys with busbar keygen; docs/security.md tells how");
  }
  const auto own = check_own(config, findings);
  const std::string directory = config.security.authorized.string();
  try {
    const keys::Authorized authorized = keys::Authorized::read(config.security.authorized);
    for (const std::string& fault : authorized.faults()) {
      findings.problem(kCheck, directory, fault, "public keys alone, each of one owner",
                       "mend or remove that file: its owner is not let in");
    }
    if (own && !authorized.is_node(*own)) {
      findings.warning(kCheck, directory, "this node's own key is not among those that are let in",
                       "the .pub of node " + config.node,
                       "copy it there, and to all other nodes: they let in none that is not listed");
    }
    findings.ok(kCheck, directory, std::to_string(authorized.size()) + " keys are let in");
    check_members(host, authorized, findings);
  } catch (const keys::KeyError& error) {
    findings.problem(kCheck, directory, error.what(), "a directory that nobody but its owner can write to",
                     "make it with the public keys of all nodes and clients, and chmod go-w " + directory);
  }
}

}  // namespace busbar::host::doctor
