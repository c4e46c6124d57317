#include "busbar/keys/key_file.hpp"

#include <busbar/names.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>

#include <algorithm>

#include "file_text.hpp"

namespace busbar::keys {

namespace {

namespace fs = std::filesystem;

/// A key's file, read.
class Fields {
 public:
  /// `text` is not quoted in any message.
  Fields(const fs::path& file, std::string_view text) : file_(file) {
    try {
      table_ = toml::parse(text);
    } catch (const toml::parse_error& error) {
      fail("line " + std::to_string(error.source().begin.line) + " is no TOML");
    }
  }

  std::string text(const char* field) const {
    const auto value = table_[field].value_exact<std::string>();
    if (!value) fail(std::string("found no text for \"") + field + "\"");
    return *value;
  }
  Identity owner() const {
    const std::string name = text("name");
    if (!is_node_name(name)) fail("\"name\" does not match " + std::string(kNodeNameRule));
    const auto role = role_of(text("role"));
    if (!role) fail("\"role\" is none of node, client and deployer");
    return {name, *role};
  }
  PublicKey public_key() const {
    const auto key = PublicKey::from(text("public"));
    if (!key) fail("\"public\" is no key: expected 40 characters of Z85");
    return *key;
  }
  void must_not_have_private() const {
    if (table_.contains("private")) {
      fail(
          "found a private key, expected a public one: take it away from here, and make a new pair if anybody may "
          "have read it");
    }
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw KeyError("could not read key file " + shown(file_) + ": " + what +
                   "; expected a file as \"busbar keygen\" writes it");
  }

 private:
  const fs::path& file_;
  toml::table table_;
};

std::string fields_of(const Identity& owner, const PublicKey& key) {
  return "name = \"" + owner.name + "\"\nrole = \"" + std::string(name_of(owner.role)) + "\"\npublic = \"" +
         key.text() + "\"\n";
}

fs::path with_suffix(fs::path base, const char* suffix) { return base += suffix; }

}  // namespace

OwnKey read_private_file(const fs::path& file) {
  std::string text = read_small_file(file, S_IRWXG | S_IRWXO,
                                     "nobody but its owner may read it: chmod 600, and make a new pair if anybody "
                                     "may have read it");
  const Fields fields(file, text);
  auto secret = SecretKey::from(fields.text("private"));
  ::explicit_bzero(text.data(), text.size());
  if (!secret) fields.fail("\"private\" is no key");
  PublicKey key = secret->public_key();
  if (key != fields.public_key()) fields.fail("\"private\" and \"public\" are not of one pair");
  return {fields.owner(), std::move(*secret), std::move(key)};
}

ListedKey read_public_file(const fs::path& file) {
  const std::string text = read_small_file(
      file, S_IWGRP | S_IWOTH, "nobody but its owner may write to it: chmod go-w, and look whose key it has");
  const Fields fields(file, text);
  fields.must_not_have_private();
  return {fields.owner(), fields.public_key()};
}

WrittenPair write_pair(const fs::path& base, const Identity& owner) {
  const SecretKey secret = make_secret_key();
  WrittenPair written{with_suffix(base, kPrivateSuffix), with_suffix(base, kPublicSuffix), secret.public_key()};
  const std::string role(name_of(owner.role));
  const std::string fields = fields_of(owner, written.key);
  make_file(written.private_file,
            "# The private key of " + role + " \"" + owner.name + "\". Whoever can read this file is \"" + owner.name +
                "\" to others.\n" + fields + "private = \"" + secret.text() + "\"\n",
            0600);
  try {
    make_file(written.public_file,
              "# The public key of " + role + " \"" + owner.name +
                  "\". In a host's security.authorized directory it lets its owner in.\n" + fields,
              0644);
  } catch (const KeyError&) {
    ::unlink(written.private_file.c_str());
    throw;
  }
  return written;
}

}  // namespace busbar::keys
