#include "system/faults/callers.hpp"

#include <signal.h>

namespace busbar::system_tests {

namespace {

Command command_of(const Callers::What& what, const std::filesystem::path& scratch) {
  Command command;
  command.arguments = {BUSBAR_CALLERS,
                       what.name,
                       what.seed,
                       what.host,
                       std::to_string(what.heartbeat.count()),
                       std::to_string(what.lost_after.count()),
                       std::to_string(Callers::count()),
                       std::to_string(what.budget.count())};
  command.scratch = scratch;
  command.machine = what.machine;
  return command;
}

}  // namespace

Callers::Callers(const What& what, const std::filesystem::path& scratch)
    : name_(what.name), process_(command_of(what, scratch)) {}

int Callers::count() { return 64; }

Json Callers::last_line(const std::string& said) {
  const auto end = said.rfind('\n');
  if (end == std::string::npos) return Json::object();
  const auto before = end == 0 ? std::string::npos : said.rfind('\n', end - 1);
  const auto begin = before == std::string::npos ? 0 : before + 1;
  return Json::parse(said.substr(begin, end - begin), nullptr, false);
}

bool Callers::wait_for_more(std::uint64_t calls) const {
  const std::uint64_t wanted = succeeded() + calls;
  return eventually([&] { return succeeded() >= wanted; });
}

Json Callers::stop() {
  process_.signal(SIGTERM);
  const auto ended = process_.wait(2 * kLimit);
  if (!ended) {
    ADD_FAILURE() << name_ << " did not end: " << process_.err();
    return Json::object();
  }
  EXPECT_EQ(ended->status, 0) << name_ << " ended by signal " << ended->signal << ", having said: " << ended->err;
  expect_no_reports(ended->err);
  return last_line(ended->out);
}

}  // namespace busbar::system_tests
