// Why the command line could not do what it was asked, and the statuses that it exits with.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace busbar::cli {

/// What scripts may rely on (docs: interfaces, "The command line").
enum class ExitStatus : int {
  ok = 0,
  error = 1,
  usage = 2,
  service_unavailable = 3,
  timeout = 4,
  invalid = 5,  // validation_error, missing_id
  forbidden = 6,
  no_host = 7,
};

/// Codes of failures that are no response; those of the host's own (wire::admin_code) come beside them.
namespace failure_code {
inline constexpr std::string_view kUsage = "usage";
inline constexpr std::string_view kJson = "json";         // what was given is not JSON
inline constexpr std::string_view kNoHost = "no_host";    // none answers
inline constexpr std::string_view kNotJson = "not_json";  // the answer has what JSON cannot say
inline constexpr std::string_view kLocal = "local";       // something on this machine
}  // namespace failure_code

/// Ends the command. `what()` is for people; `hint`, where there is one, is what they can do.
class Failure : public std::runtime_error {
 public:
  struct Position {
    std::size_t line = 0;
    std::size_t column = 0;
  };

  Failure(ExitStatus status, std::string_view code, const std::string& text, std::string hint = {})
      : std::runtime_error(text), status_(status), code_(code), hint_(std::move(hint)) {}
  Failure at(std::size_t line, std::size_t column) && {
    position_ = Position{line, column};
    return std::move(*this);
  }

  ExitStatus status() const noexcept { return status_; }
  const std::string& code() const noexcept { return code_; }
  const std::string& hint() const noexcept { return hint_; }
  const std::optional<Position>& position() const noexcept { return position_; }

 private:
  ExitStatus status_;
  std::string code_;
  std::string hint_;
  std::optional<Position> position_;
};

inline Failure usage_failure(const std::string& text, std::string hint = {}) {
  return Failure(ExitStatus::usage, failure_code::kUsage, text, std::move(hint));
}

}  // namespace busbar::cli
