#include "doctor.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string_view>

#include "admin_client.hpp"
#include "check.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

namespace verb = wire::admin_verb;

constexpr std::chrono::milliseconds kDoctorsPatience{5'000};
constexpr std::uint32_t kOthersMs = 2'000;  // for other nodes, which the host asks

[[noreturn]] void fail(const std::string& step) {
  throw Failure(ExitStatus::error, failure_code::kLocal,
                "could not examine the host: " + step + ": " + error_text(errno));
}

Json ask_one(const Ask& ask, std::string_view what) {
  wire::AdminRequest request;
  request.seq = 1;
  request.verb = what;
  if (what == verb::kViews) request.timeout_ms = kOthersMs;
  const wire::AdminAnswer answer = ask(request);
  return answer.document ? payload_json(wire::payload_of(answer.document)) : Json();
}

/// What is known of the host of the run directory.
Json gather(const Command& command) {
  Json out = Json::object();
  try {
    AdminClient host(command.run_dir, kDoctorsPatience);
    out = ask_for_health([&](const wire::AdminRequest& request) { return host.ask(request); });
  } catch (const Failure& failure) {
    out["unreachable"] = failure.what();
  }
  out["run_dir"] = command.run_dir.native();
  out["config_given"] = !command.config.empty();
  return out;
}

/// Has `text` read from standard input by what this process becomes.
void give_as_input(const std::string& text) {
  const int file = ::memfd_create("busbar-doctor", MFD_CLOEXEC);
  if (file < 0) fail("no place for what the host says");
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t size = ::write(file, text.data() + at, text.size() - at);
    if (size < 0 && errno != EINTR) fail("could not keep what the host says");
    if (size > 0) at += static_cast<std::size_t>(size);
  }
  if (::lseek(file, 0, SEEK_SET) != 0 || ::dup2(file, STDIN_FILENO) < 0) fail("could not hand on what the host says");
}

}  // namespace

Json ask_for_health(const Ask& ask) {
  Json out = Json::object();
  const auto take = [&](std::string_view what) {
    if (Json document = ask_one(ask, what); document.is_object()) out[std::string(what)] = std::move(document);
  };
  try {
    take(verb::kStatus);
    take(verb::kConfig);
    // These would wait until it has. What else keeps it from being ready keeps it from no answer.
    if (!out.value("status", Json::object()).value("begun", false)) return out;
    take(verb::kPlugins);
    take(verb::kViews);
  } catch (const Failure& failure) {
    out["problem"] = failure.what();
  }
  return out;
}

std::vector<std::string> doctor_arguments(const std::filesystem::path& busbard, const Command& command,
                                          const std::filesystem::path& usual) {
  std::vector<std::string> arguments = {busbard.native(), "--doctor"};
  if (command.json) arguments.emplace_back("--json");
  add_config(arguments, command, usual);
  if (command.is_run_dir_given) arguments.push_back("--run-dir=" + command.run_dir.native());
  return arguments;
}

void become_doctor(const Command& command, const Variables& variables) {
  const std::filesystem::path busbard = busbard_for("examine a host", variables);
  give_as_input(gather(command).dump(-1, ' ', false, Json::error_handler_t::replace));
  become(doctor_arguments(busbard, command, kUsualConfig));
}

}  // namespace busbar::cli
