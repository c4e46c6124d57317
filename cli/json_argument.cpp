#include "json_argument.hpp"

#include <busbar/cbor/cbor.hpp>
#include <busbar/cbor/json_text.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <istream>

#include "failure.hpp"
#include "response_json.hpp"
#include "schema_text.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

wire::Item parse(std::string_view text, const std::string& what, const std::string& hint = {}) {
  try {
    return cbor::from_json_text(text);
  } catch (const JsonSyntaxError& error) {
    throw Failure(ExitStatus::usage, failure_code::kJson,
                  "could not read " + what + ": line " + std::to_string(error.line()) + ", column " +
                      std::to_string(error.column()) + ": " + printable(error.text()),
                  hint)
        .at(error.line(), error.column());
  }
}

// Not by iterators over its buffer: those throw where reading fails, and `in` is not bad then.
std::string read_all(std::istream& in) {
  std::string text;
  std::array<char, 64 * 1024> piece;
  while (in.read(piece.data(), piece.size()), in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
  }
  return text;
}

std::string read_file(const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    throw usage_failure("could not read the request from file " + in_quotes(path) + ": " + why);
  };
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) refuse("it is a directory");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse(error_text(errno));
  std::string text = read_all(in);
  if (in.bad()) refuse("it could not be read to its end");
  return text;
}

/// Where it looks as if the quotes of a text were left out, or taken by the shell.
std::string hint_at_quotes(const std::string& key, const std::string& value) {
  if (value.empty() || std::string_view("{[\"").find(value.front()) != std::string_view::npos) return {};
  const std::string text = Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
  return "a text has quotes of its own: --assign " + shell_word(key + "=" + text);
}

}  // namespace

wire::Item read_json_argument(const std::string& argument, std::istream& standard_input) {
  if (argument == "-") return parse(read_all(standard_input), "the request from standard input");
  if (argument.starts_with('@')) {
    const std::string path = argument.substr(1);
    return parse(read_file(path), "the request from file " + in_quotes(path));
  }
  return parse(argument, "the request");
}

wire::Item read_assigns(const std::vector<std::string>& arguments) {
  wire::Item map = {0xA0};  // an empty one
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw usage_failure("could not read --assign " + in_quotes(argument) + ": expected KEY=JSON");
    }
    const std::string key = argument.substr(0, equals);
    const std::string value = argument.substr(equals + 1);
    const wire::Item item = parse(value, "--assign " + in_quotes(key), hint_at_quotes(key, value));
    try {
      map = cbor::with_field(map, key, item);
    } catch (const EncodeError&) {
      throw usage_failure("could not read --assign " + in_quotes(argument) + ": the key is not valid UTF-8");
    }
  }
  return map;
}

}  // namespace busbar::cli
