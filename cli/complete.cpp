#include "complete.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <span>
#include <string_view>

namespace busbar::cli {

namespace {

constexpr std::string_view kFiles = ":files";

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

/// How help calls the value of an option, or an argument: FILE, MS, [=verbose].
std::string_view value_name(const CLI::Option& option) {
  const std::string& text = option.get_option_text();
  return option.get_positional() && text.empty() ? std::string_view(option.get_single_name()) : text;
}

bool is_file(const CLI::Option& option) {
  const std::string_view name = value_name(option);
  return name == "FILE" || name == "DIR" || name == "JSON";  // the last may be @FILE
}

/// Where the words have led to: a verb, or a verb's own.
struct Place {
  const CLI::App* app;
  std::vector<const CLI::App*> above;    // whose options may stand behind the verb as well
  std::size_t arguments = 0;             // how many of its own have been given
  const CLI::Option* awaited = nullptr;  // the option whose value comes next

  const CLI::Option* option(const std::string& name) const {
    if (const auto* own = app->get_option_no_throw(name)) return own;
    for (const CLI::App* one : above) {
      if (const auto* found = one->get_option_no_throw(name)) return found;
    }
    return nullptr;
  }
};

const CLI::App* find_verb(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->check_name(name)) return verb;
  }
  return nullptr;
}

Place follow(const CLI::App& app, std::span<const std::string> words) {
  Place place{&app, {}};
  for (const std::string& word : words) {
    if (std::exchange(place.awaited, nullptr) != nullptr) continue;
    if (word.starts_with('-') && word.size() > 1) {
      const auto* option = place.option(word);
      if (option != nullptr && takes_value(*option)) place.awaited = option;
    } else if (const CLI::App* verb = find_verb(*place.app, word)) {
      place.above.push_back(std::exchange(place.app, verb));
      place.arguments = 0;
    } else {
      ++place.arguments;
    }
  }
  return place;
}

/// The argument that comes next; the last one may take any number.
const CLI::Option* next_argument(const Place& place) {
  const CLI::Option* last = nullptr;
  std::size_t number = 0;
  for (const CLI::Option* option : place.app->get_options()) {
    if (!option->get_positional()) continue;
    last = option;
    if (number++ == place.arguments) return option;
  }
  return last != nullptr && last->get_items_expected_max() > 1 ? last : nullptr;
}

void add_values(const CLI::Option& option, const Choices& choices, std::vector<std::string>& out) {
  if (is_file(option)) out.emplace_back(kFiles);
  const auto found = choices.find(option.get_name());
  if (found != choices.end()) out.insert(out.end(), found->second.begin(), found->second.end());
}

void add_options(const CLI::App& app, std::vector<std::string>& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  }
}

std::vector<std::string> candidates(const Place& place, const Choices& choices, const std::string& begun) {
  std::vector<std::string> out;
  if (place.awaited != nullptr) {
    add_values(*place.awaited, choices, out);
    return out;
  }
  if (begun.starts_with('-')) {
    add_options(*place.app, out);
    for (const CLI::App* app : place.above) add_options(*app, out);
    return out;
  }
  for (const CLI::App* verb : place.app->get_subcommands([](const CLI::App*) { return true; })) {
    if (!verb->get_group().empty()) out.push_back(verb->get_name());
  }
  const CLI::Option* argument = next_argument(place);
  if (out.empty() && argument != nullptr) add_values(*argument, choices, out);
  return out;
}

}  // namespace

std::string completions(const CLI::App& app, const Choices& choices, const std::vector<std::string>& words) {
  if (words.empty()) return {};
  const std::string& begun = words.back();
  std::vector<std::string> found = candidates(follow(app, std::span(words).first(words.size() - 1)), choices, begun);
  std::erase_if(found, [&](const std::string& word) { return word != kFiles && !word.starts_with(begun); });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::string text;
  for (const std::string& word : found) text += word + "\n";
  return text;
}

}  // namespace busbar::cli
