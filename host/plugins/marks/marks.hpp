// What an operator, or the host itself, has decided about a plugin's file, for as long as the file stays what it is:
// kept in the state directory, so that neither a rescan nor a restart undoes it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "log/log.hpp"

namespace busbar::host {

/// What is decided about a file. It holds for content of that digest alone: another file is another decision.
struct Mark {
  enum class Kind : std::uint8_t {
    unloaded,     ///< it is not loaded
    rolled_back,  ///< the version before it serves in its place
    quarantined   ///< it is not loaded, as it has crashed the host
  };
  Kind kind = Kind::unloaded;
  std::string digest;  ///< of the file in the plugin directory
  std::string plugin;  ///< the plugin's name
  std::string reason;  ///< for people
};

/// A crash of the host, by the plugin that it happened in.
struct Crash {
  std::int64_t at_s = 0;  ///< since 1970
  std::string file;       ///< its name in the plugin directory
  std::string digest;     ///< of that file
  std::string plugin;
  std::string what;  ///< the signal, and where
};

/// Ownership: the files `plugins.json` and `previous/` in the directory. Threads: one.
class Marks {
 public:
  /// Reads what is there. A file that cannot be read is put aside, with a warning: no mark holds then.
  Marks(std::filesystem::path directory, Logger log);

  /// Null: nothing is decided about a file of that name.
  const Mark* find(const std::string& file) const;
  /// Errors: std::system_error with what could not be written; then nothing has changed.
  void put(const std::string& file, Mark mark);
  void remove(const std::string& file);

  /// Notes a crash, and returns how often that file has crashed the host in the time before it; with this one.
  /// Errors: as above; the crash is counted all the same.
  std::size_t note(const Crash& crash, std::chrono::seconds within);
  /// Forgets the crashes of a file. Errors: as above.
  void forget_crashes(const std::string& file);

  /// Where the version that served before is kept, of a file of that name.
  std::filesystem::path previous_of(const std::string& file) const { return directory_ / "previous" / file; }
  /// Keeps a copy there, in place of the one before. False: that could not be done, and the one before is gone.
  bool keep_previous(const std::string& file, const std::filesystem::path& copy) noexcept;
  void forget_previous(const std::string& file) noexcept;

 private:
  void read();
  void write() const;

  const std::filesystem::path directory_;
  const Logger log_;
  std::map<std::string, Mark> marks_;
  std::vector<Crash> crashes_;
};

}  // namespace busbar::host
