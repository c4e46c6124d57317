#include "system/support/test_host.hpp"

#include <signal.h>
#include <stdlib.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "system/support/tested_build.hpp"

namespace busbar::system_tests {

namespace fs = std::filesystem;

namespace {

fs::path new_directory() {
  std::string name = (fs::temp_directory_path() / "busbar-system-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("could not make a directory \"" + name + "\"");
  return name;
}

}  // namespace

void PrintTo(const Answer& answer, std::ostream* out) {
  *out << "status " << answer.status << ", output: " << answer.out.substr(0, 2000)
       << ", errors: " << answer.err.substr(0, 2000);
}

TestHost::TestHost() : root_(new_directory()) {
  fs::create_directory(plugins());
  fs::create_directory(root_ / "said");
}

TestHost::~TestHost() {
  host_.reset();
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void TestHost::add(std::string_view name, std::string_view as) {
  const fs::path unfinished = plugins() / ".unfinished";
  fs::copy_file(tested::plugin(name), unfinished, fs::copy_options::overwrite_existing);
  fs::rename(unfinished, plugins() / (as.empty() ? std::string(name) + ".so" : std::string(as)));
}

Command TestHost::command_of(std::vector<std::string> arguments) const {
  Command command;
  command.arguments = std::move(arguments);
  command.scratch = root_ / "said";
  return command;
}

Process TestHost::start_process(std::vector<std::string> more) const {
  std::vector<std::string> arguments = launcher;
  arguments.emplace_back(tested::busbard());
  std::map<std::string, std::string> usual = {
      {"--node", "tested"}, {"--plugins", plugins()}, {"--run-dir", run_dir()}, {"--state-dir", state()}};
  if (fs::exists(root_ / "busbar.toml")) usual["--config"] = root_ / "busbar.toml";
  for (const auto& flag : more) usual.erase(flag);
  for (const auto& [flag, value] : usual) arguments.insert(arguments.end(), {flag, value});
  arguments.insert(arguments.end(), more.begin(), more.end());
  Command command = command_of(std::move(arguments));
  command.variables = variables;
  command.machine = machine;
  return Process(command);
}

void TestHost::start(std::vector<std::string> more) {
  host_.reset();
  host_.emplace(start_process(std::move(more)));
  // Hundreds of files that are tried take a minute with the address sanitizer.
  constexpr std::chrono::seconds kStart{100};
  const bool ready =
      eventually([this] { return !host_->running() || ask({"status"}).json.value("ready", false); }, kStart);
  if (ready && host_->running()) return;
  const std::string said = host_->err();
  host_.reset();
  FAIL() << "the host did not become ready; it said:\n" << said;
}

Ended TestHost::stop() { return stop(SIGTERM); }

Ended TestHost::stop(int signal) {
  host_->signal(signal);
  return finish();
}

Ended TestHost::finish() {
  auto ended = host_->wait();
  const std::string said = host_->err();
  host_.reset();
  if (!ended) {
    ADD_FAILURE() << "the host did not stop; it said:\n" << said;
    return {};
  }
  EXPECT_EQ(ended->status, 0) << "ended by signal " << ended->signal << ", having said:\n" << said;
  expect_no_reports(said);
  return *ended;
}

void TestHost::kill() {
  expect_no_reports(host_->err());
  host_->signal(SIGKILL);
  host_->wait();
  host_.reset();
}

namespace {

// Whether the thread that writes a host's log has nothing to do, or is gone: it is awake from the moment on at which a
// line is logged until that is written.
bool log_is_written(pid_t host) {
  std::error_code gone;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(host) + "/task", gone)) {
    const std::string facts = read_file(thread.path() / "stat");  // TID (NAME) STATE …
    const std::size_t name = facts.find("(busbar-log) ");
    if (name != std::string::npos) return facts.at(name + 13) != 'R' && facts.at(name + 13) != 'D';
  }
  return true;
}

}  // namespace

std::string TestHost::log() const {
  if (!host_) return {};
  eventually([this] { return log_is_written(host_->pid()); });
  return host_->err();
}

Ended TestHost::busbar(std::vector<std::string> arguments, const fs::path& input) const {
  arguments.insert(arguments.begin(), {tested::busbar(), "--run-dir", run_dir()});
  Command command = command_of(std::move(arguments));
  command.input = input;
  Ended ended = run(command);
  expect_no_reports(ended.err);
  return ended;
}

Process TestHost::start_busbar(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {tested::busbar(), "--run-dir", run_dir()});
  return Process(command_of(std::move(arguments)));
}

Answer TestHost::ask(std::vector<std::string> arguments, const fs::path& input) const {
  arguments.insert(arguments.begin(), "--json");
  const Ended ended = busbar(std::move(arguments), input);
  Json json = Json::parse(ended.out, nullptr, false);
  if (!json.is_object()) {
    ADD_FAILURE() << "no JSON object: " << ended.out << ended.err;
    json = Json::object();
  }
  return {ended.status, std::move(json), ended.out, ended.err};
}

Answer TestHost::call(std::string service, const Json& request, std::vector<std::string> more) const {
  std::vector<std::string> arguments = {"call", std::move(service), request.dump()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return ask(std::move(arguments));
}

Json TestHost::plugin_rows() const { return ask({"plugins"}).json.value("plugins", Json::array()); }

Json TestHost::plugin(std::string_view file) const {
  Json newest;
  for (const Json& row : plugin_rows()) {
    if (row.at("file") != file) continue;
    if (newest.is_null() || row.at("generation") > newest.at("generation")) newest = row;
  }
  return newest;
}

long TestHost::most_memory_kib() const {
  std::ifstream in("/proc/" + std::to_string(host_->pid()) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return -1;
}

void expect_no_reports(const std::string& text) {
  static const std::regex report("^(==[0-9]+==ERROR|WARNING: ThreadSanitizer|.*: runtime error: )");
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.size() < 500 && std::regex_search(line, report)) {
      ADD_FAILURE() << "a sanitizer has reported:\n" << text;
      return;
    }
  }
}

bool under_address_sanitizer() { return tested::sanitizers().find("address") != std::string::npos; }
bool under_any_sanitizer() { return !tested::sanitizers().empty(); }

}  // namespace busbar::system_tests
