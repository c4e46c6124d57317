#include "keygen.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "failure.hpp"

namespace busbar::cli {

ExitStatus make_keys(const Command& command, const Streams& streams) {
  const std::filesystem::path directory = command.directory.empty() ? "." : command.directory;
  const keys::Identity owner{command.owner, keys::role_of(command.role).value()};
  const std::string name = command.owner + (command.label.empty() ? "" : "." + command.label);
  try {
    const keys::WrittenPair written = keys::write_pair(directory / name, owner);
    if (command.json) {
      streams.out << nlohmann::json{{"name", owner.name},
                                    {"role", command.role},
                                    {"private_file", written.private_file.string()},
                                    {"public_file", written.public_file.string()},
                                    {"key", written.key.text()}}
                         .dump()
                  << '\n';
      return ExitStatus::ok;
    }
    streams.out << "The private key of " << command.role << " " << owner.name << " is in "
                << written.private_file.string() << ": keep it where " << owner.name
                << " runs, and nowhere else.\nThe public one is in " << written.public_file.string()
                << ": copy it into security.authorized of every host that is to let " << owner.name << " in.\n";
    return ExitStatus::ok;
  } catch (const keys::KeyError& error) {
    throw Failure(ExitStatus::error, failure_code::kLocal, error.what());
  }
}

std::optional<ClientKeys> read_keys(const Command& command) {
  if (command.key.empty()) return std::nullopt;
  try {
    return ClientKeys{keys::read_private_file(command.key), keys::read_public_file(command.host_key).key};
  } catch (const keys::KeyError& error) {
    throw usage_failure(error.what(), "busbar keygen makes keys; a host's public one is in its security.authorized");
  }
}

}  // namespace busbar::cli
