#include "log/line.hpp"

#include <busbar/trace.hpp>

#include "log/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace busbar::host {

namespace {

constexpr std::array<std::string_view, 4> kFixedKeys = {"at", "level", "logger", "message"};

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 40> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  out.append(text.data(), end);
}

constexpr std::string_view kCut = "…";

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, beginning(text, kLongestInLine));
  if (text.size() > kLongestInLine) out += kCut;
  out += '"';
}

/// Whether `text` can stand in a line of key=value without quotes.
bool is_bare(std::string_view text) {
  return !text.empty() && text.size() <= kLongestInLine && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\';
  });
}

void append_word(std::string& out, std::string_view text) {
  if (is_bare(text)) {
    out += text;
  } else {
    append_quoted(out, text);
  }
}

/// Writes a value of any kind; `write_text` says how text looks in this format.
template <class WriteText>
void append_value(std::string& out, const LogField::Value& value, WriteText write_text) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    write_text(out, *text);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    append_number(out, *integer);
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value)) {
    append_number(out, *natural);
  } else if (const double number = std::get<double>(value); std::isfinite(number)) {
    append_number(out, number);
  } else {
    write_text(out, std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");  // JSON has no numbers for these
  }
}

/// The keys of one JSON line, which must differ from each other.
class JsonKeys {
 public:
  void append_next(std::string& out, std::string_view key) {
    std::string name(key);
    while (is_taken(name)) name += '_';
    append_quoted(out, name);
    used_.push_back(std::move(name));
  }

 private:
  bool is_taken(std::string_view name) const {
    return std::find(kFixedKeys.begin(), kFixedKeys.end(), name) != kFixedKeys.end() ||
           std::find(used_.begin(), used_.end(), name) != used_.end();
  }
  std::vector<std::string> used_;
};

std::string trace_id_of(const CallIds& ids) {
  if (ids.message_id.empty()) return {};
  if (const auto given = TraceParent::parse(ids.traceparent)) return given->trace_id_text();
  return trace_of(ids.correlation_id.empty() ? ids.message_id : ids.correlation_id, ids.message_id).trace_id_text();
}

/// The ids as fields, in the order in which lines show them.
template <class Write>
void for_each_id(const CallIds& ids, Write write) {
  const std::string trace_id = trace_id_of(ids);
  for (const LogField& field : {LogField("message_id", ids.message_id), LogField("correlation_id", ids.correlation_id),
                                LogField("trace_id", trace_id)}) {
    if (!std::get<std::string_view>(field.value).empty()) write(field);
  }
}

/// As the journal counts them (syslog(3)).
char priority_of(LogLevel level) {
  constexpr std::string_view kPriorities = "77643";
  return kPriorities[static_cast<std::size_t>(level)];
}

void append_priority(std::string& out, LogLevel level) {
  out += '<';
  out += priority_of(level);
  out += '>';
}

std::string json_line(LineForm form, std::chrono::system_clock::time_point at, LogLevel level, std::string_view logger,
                      std::string_view message, LogFields fields, const CallIds& ids) {
  std::string out;
  if (form.for_journal) {
    append_priority(out, level);
    out += '{';
  } else {
    out = R"({"at":")";
    out += utc_text(at);
    out += "\",";
  }
  out += R"("level":")";
  out += to_text(level);
  out += R"(","logger":)";
  append_quoted(out, logger);
  out += R"(,"message":)";
  append_quoted(out, message);
  JsonKeys keys;
  const auto append_field = [&](const LogField& field) {
    out += ',';
    keys.append_next(out, field.key);
    out += ':';
    append_value(out, field.value, append_quoted);
  };
  for (const LogField& field : fields) append_field(field);
  for_each_id(ids, append_field);
  out += '}';
  return out;
}

/// As it is; in quotes where something in it would look like a field.
void append_message(std::string& out, std::string_view message) {
  if (message.find('=') != std::string_view::npos) return append_quoted(out, message);
  append_printable(out, beginning(message, kLongestInLine));
  if (message.size() > kLongestInLine) out += kCut;
}

std::string text_line(LineForm form, std::chrono::system_clock::time_point at, LogLevel level, std::string_view logger,
                      std::string_view message, LogFields fields, const CallIds& ids) {
  std::string out;
  if (form.for_journal) {
    append_priority(out, level);
  } else {
    out += utc_text(at);
    out += ' ';
  }
  out += to_text(level);
  out.append(6 - to_text(level).size(), ' ');  // the longest name has five letters
  append_printable(out, logger);
  out += ": ";
  append_message(out, message);
  const auto append_field = [&](const LogField& field) {
    out += ' ';
    append_word(out, field.key);
    out += '=';
    append_value(out, field.value, append_word);
  };
  for (const LogField& field : fields) append_field(field);
  for_each_id(ids, append_field);
  return out;
}

}  // namespace

std::string log_line(LineForm form, std::chrono::system_clock::time_point at, LogLevel level, std::string_view logger,
                     std::string_view message, LogFields fields, const CallIds& ids) {
  return form.format == LogFormat::json ? json_line(form, at, level, logger, message, fields, ids)
                                        : text_line(form, at, level, logger, message, fields, ids);
}

}  // namespace busbar::host
