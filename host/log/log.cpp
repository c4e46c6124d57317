#include "log/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace busbar::host {

static_assert(static_cast<int>(LogLevel::trace) == spdlog::level::trace);
static_assert(static_cast<int>(LogLevel::error) == spdlog::level::err);

Logs::Logs(LogSettings settings) : Logs(settings, std::make_shared<spdlog::sinks::stderr_sink_mt>()) {}

Logs::Logs(LogSettings settings, std::shared_ptr<spdlog::sinks::sink> sink) {
  auto output = std::make_shared<spdlog::logger>("busbar", std::move(sink));
  output->set_level(spdlog::level::trace);  // `Logger` has already decided
  output->set_pattern("%v");                // a line comes complete, with its time and its logger
  output->flush_on(spdlog::level::warn);    // for sinks that buffer: a crash would take the buffer along
  shared_ = std::make_shared<Logger::Shared>();
  shared_->level = static_cast<int>(settings.level);
  shared_->format = settings.format;
  shared_->output = std::move(output);
}

void Logs::set_level(LogLevel level) noexcept {
  shared_->level.store(static_cast<int>(level), std::memory_order_relaxed);
}

void Logger::write_line(LogLevel level, std::string_view message, LogFields fields) const noexcept {
  try {
    const std::string line = log_line(shared_->format, std::chrono::system_clock::now(), level, name_, message, fields);
    // The line is an argument, never the format: a name with braces in it would throw.
    shared_->output->log(static_cast<spdlog::level::level_enum>(level), "{}", line);
  } catch (...) {
    // Nowhere is left to say so, and no caller should fail because its log line did.
  }
}

}  // namespace busbar::host
