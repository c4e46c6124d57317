#include "log/log.hpp"

#include "log/writer.hpp"

#include <spdlog/spdlog.h>

namespace busbar::host {

static_assert(static_cast<int>(LogLevel::trace) == spdlog::level::trace);
static_assert(static_cast<int>(LogLevel::error) == spdlog::level::err);

Logs::Logs(const LogSettings& settings, LineForm form, std::shared_ptr<spdlog::sinks::sink> sink)
    : levels_(std::make_shared<LogLevels>(settings)) {
  auto lines = std::make_shared<spdlog::logger>("busbar", std::move(sink));
  lines->set_level(spdlog::level::trace);  // `Logger` has already decided
  lines->set_pattern("%v");                // a line comes complete, with its time and its logger
  lines->flush_on(spdlog::level::warn);    // for sinks that buffer: a crash would take the buffer along
  output_ = std::make_shared<const Logger::Output>(Logger::Output{form, std::move(lines)});
}

Logs::Logs(const LogSettings& settings, std::shared_ptr<spdlog::sinks::sink> sink)
    : Logs(settings, LineForm(settings.format), std::move(sink)) {}

Logs::Logs(const LogSettings& settings) {
  auto writer = std::make_shared<LogWriter>(LogTarget::of(settings));
  *this = Logs(settings, writer->form(), writer);
  writer_ = std::move(writer);
}

void Logs::reopen() const noexcept {
  if (writer_) writer_->reopen();
}

bool Logs::flush(std::chrono::milliseconds at_most) const noexcept { return !writer_ || writer_->wait(at_most); }

std::uint64_t Logs::lines_dropped() const noexcept { return writer_ ? writer_->dropped() : 0; }

void Logger::write_line(LogLevel level, std::string_view message, LogFields fields, const CallIds& ids) const noexcept {
  try {
    const std::string line =
        log_line(output_->form, std::chrono::system_clock::now(), level, channel_->name, message, fields, ids);
    // The line is an argument, never the format: a name with braces in it would throw.
    output_->lines->log(static_cast<spdlog::level::level_enum>(level), "{}", line);
  } catch (...) {
    // Nowhere is left to say so, and no caller should fail because its log line did.
  }
}

}  // namespace busbar::host
