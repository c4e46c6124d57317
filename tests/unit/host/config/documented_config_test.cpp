// config/busbar.toml is where a person reads what can be configured: it must say all of it, and say it right.
#include "config/config.hpp"
#include "config/keys.hpp"
#include "config/toml_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
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
