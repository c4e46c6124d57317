// Keys for both processes of a figure, in a directory of their own.
#pragma once

#include <busbar/keys/key_file.hpp>

#include <filesystem>
#include <string>

namespace bench {

// Ownership: the directory, which ends with it.
class BenchKeys {
 public:
  BenchKeys();
  ~BenchKeys();
  BenchKeys(const BenchKeys&) = delete;
  BenchKeys& operator=(const BenchKeys&) = delete;

  const std::filesystem::path& directory() const { return directory_; }

 private:
  const std::filesystem::path directory_;
};

// What is where in such a directory. Of the nodes "provider" and "caller".
std::filesystem::path private_file(const std::filesystem::path& directory, const std::string& node);
busbar::keys::OwnKey key_of(const std::filesystem::path& directory, const std::string& node);
std::filesystem::path authorized(const std::filesystem::path& directory);

}  // namespace bench
