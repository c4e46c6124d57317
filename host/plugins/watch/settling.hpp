// When a name in the plugin directory that has changed is worth acting on: not while it is still being written, and not
// while it is away only to come back.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugins/file/file_stamp.hpp"

namespace busbar::host {

/// What has happened to a name, as far as it matters for how long to wait.
enum class Change : std::uint8_t {
  finished,    ///< who wrote the file has closed it, or it was moved here: it is whole, most often
  attributes,  ///< its mode or its times
  other,       ///< it was made, written to, taken away, or found to be another one than before
};

/// What is there now.
struct Found {
  FileStamp stamp;
  bool whole = false;  ///< it does not look like a file that is still being written
};

/// An event only says that something has changed; what counts is what is there when nothing changes any more.
/// Threads: one.
class Settling {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  struct Rules {
    Duration after_finished = std::chrono::milliseconds(30);  ///< two looks so far apart that see the same
    Duration quiet = std::chrono::milliseconds(500);          ///< the same after anything else
    Duration longest = std::chrono::seconds(10);              ///< that something which never rests is waited for
    Duration incomplete = std::chrono::seconds(5);            ///< that a file which is not whole is waited for
  };

  Settling() : Settling(Rules()) {}
  explicit Settling(const Rules& rules) : rules_(rules) {}

  /// Something has happened to it.
  void happened(const std::string& name, Change change, Time now);
  /// What is there now; nothing: no file of that name. Returns whether that is to be acted on; then the name is
  /// forgotten. Of a name to which nothing has happened it says so at once.
  bool look(const std::string& name, const std::optional<Found>& found, Time now);
  /// It was acted on for another reason.
  void forget(const std::string& name) { waiting_.erase(name); }
  void clear() { waiting_.clear(); }

  bool waits_for(const std::string& name) const { return waiting_.contains(name); }
  /// Those that are to be looked at by now.
  std::vector<std::string> due(Time now) const;
  /// When the next is; nothing: none.
  std::optional<Time> next_due() const;

 private:
  struct Waiting {
    Time since;             // the first change
    Time changed;           // the last one that was told, or seen
    bool finished = false;  // the last one that matters was its end
    bool seen = false;      // since then
    Time seen_at;           // when what is there was seen for the first time
    std::optional<Found> found;
    Time due;
  };

  const Rules rules_;
  std::map<std::string, Waiting> waiting_;
};

}  // namespace busbar::host
