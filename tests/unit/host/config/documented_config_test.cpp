// config/busbar.toml is where a person reads what can be configured: it must say all of it, and say it right.
#include "config/config.hpp"
#include "config/keys.hpp"
#include "config/toml_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

namespace busbar::host {
namespace {

const std::filesystem::path kFile = BUSBAR_TEST_CONFIG;

Environment some_machine() {
  Environment environment;
  environment.host_name = "node-1";
  environment.root = true;
  environment.cores = 4;
  return environment;
}

/// The file with every key that is commented out taken in.
std::string with_every_key() {
  std::ifstream in(kFile);
  std::ostringstream out;
  for (std::string line; std::getline(in, line);) {
    const bool is_key = line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
    out << (is_key ? line.substr(1) : line) << "\n";
  }
  return out.str();
}

TEST(DocumentedConfig, IsLoadedAsItIsAndChangesNothing) {
  const Config with = load_config(kFile, some_machine(), {});
  const Config without = load_config(std::nullopt, some_machine(), {});
  EXPECT_EQ(to_json(with), to_json(without));
}

TEST(DocumentedConfig, NamesEveryKeyWithItsDefault) {
  const FileContent content = parse_config(with_every_key());
  for (const FileFault& fault : content.faults) ADD_FAILURE() << fault.at.line << ": " << fault.text;
  const Config defaults = load_config(std::nullopt, some_machine(), {});
  for (const Key& key : all_keys()) {
    const auto setting = std::find_if(content.settings.begin(), content.settings.end(),
                                      [&](const FileSetting& each) { return each.key == &key; });
    ASSERT_NE(setting, content.settings.end()) << full_name(key) << " is not documented";
    Config config;
    EXPECT_EQ(assign(key, setting->value, config), std::nullopt) << full_name(key);
    EXPECT_EQ(value_of(key, config), value_of(key, defaults)) << full_name(key);
  }
}

/// What is written in the file above each key, as one line.
std::map<std::string, std::string> explanations() {
  std::map<std::string, std::string> out;
  std::ifstream in(kFile);
  std::string section, text;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("[")) section = line.substr(1, line.find(']') - 1);
    if (line.starts_with("# ")) text += line.substr(1);
    const bool is_key = line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
    if (is_key) out[section + "." + line.substr(1, line.find(' ') - 1)] = text;
    if (!line.starts_with("# ")) text.clear();
  }
  return out;
}

TEST(DocumentedConfig, SaysWhichNumbersAreTaken) {
  const auto texts = explanations();
  for (const Key& key : all_keys()) {
    if (key.largest == 0 || full_name(key) == "pool.threads") continue;  // as many as max_threads
    const std::string expected = expected_of(key);
    const std::size_t from = expected.find(" from ") + 6, to = expected.find(" to ", from);
    const std::string least = expected.substr(from, to - from);
    const std::string most = expected.substr(to + 4, expected.find(' ', to + 4) - to - 4);
    const bool has_unit = least.find_first_not_of("0123456789") != std::string::npos;
    const std::string range = has_unit ? "\"" + least + "\" to \"" + most + "\"" : least + " to " + most;
    const auto text = texts.find(full_name(key));
    ASSERT_NE(text, texts.end()) << full_name(key) << " is not explained in config/busbar.toml";
    EXPECT_NE(text->second.find(range), std::string::npos)
        << "config/busbar.toml must say of " << full_name(key) << " what is taken: " << range
        << "\nit says:" << text->second;
  }
}

TEST(DocumentedConfig, SaysWhatDerivedDefaultsAreDerivedFrom) {
  std::string text = with_every_key();
  for (std::size_t at = 0; (at = text.find("\n# ", at)) != std::string::npos;)
    text.replace(at, 3, " ");  // one long line
  for (const Key& key : all_keys()) {
    if (key.default_in_words.empty()) continue;
    EXPECT_NE(text.find("Default: " + std::string(key.default_in_words)), std::string::npos) << full_name(key);
  }
}

}  // namespace
}  // namespace busbar::host
