#include "plugins/marks/marks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "log/text.hpp"
#include "plugins/file/descriptor_guard.hpp"

namespace busbar::host {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFile = "plugins.json";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMostCrashes = 100;  // that are remembered

constexpr std::array<std::pair<Mark::Kind, const char*>, 3> kKinds = {{{Mark::Kind::unloaded, "unloaded"},
                                                                       {Mark::Kind::rolled_back, "rolled_back"},
                                                                       {Mark::Kind::quarantined, "quarantined"}}};

// A file's name as it stands in the file, which is UTF-8.
std::string key_of(const std::string& file) {
  std::string key;
  append_escaped(key, file);
  return key;
}

json to_json(const std::string& file, const Mark& mark) {
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& row) { return row.first == mark.kind; });
  return {{"file", file},
          {"kind", kind->second},
          {"digest", mark.digest},
          {"plugin", mark.plugin},
          {"reason", mark.reason}};
}

json to_json(const Crash& crash) {
  return {{"at_s", crash.at_s},
          {"file", crash.file},
          {"digest", crash.digest},
          {"plugin", crash.plugin},
          {"what", crash.what}};
}

// Errors: json's own, for whatever does not fit.
Mark mark_of(const json& row) {
  const std::string name = row.at("kind");
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& one) { return one.second == name; });
  if (kind == kKinds.end()) throw std::runtime_error("mark of unknown kind " + in_quotes(name));
  return {kind->first, row.at("digest"), row.at("plugin"), row.at("reason")};
}

Crash crash_of(const json& row) {
  return {row.at("at_s"), row.at("file"), row.at("digest"), row.at("plugin"), row.at("what")};
}

[[noreturn]] void fail(const std::string& what, const fs::path& file) {
  throw std::system_error(errno, std::generic_category(), "could not " + what + " \"" + file.string() + "\"");
}

void sync(const fs::path& path, int flags) {
  const DescriptorGuard descriptor(::open(path.c_str(), flags | O_CLOEXEC));
  if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) fail("write", path);
}

}  // namespace

Marks::Marks(fs::path directory, Logger log) : directory_(std::move(directory)), log_(std::move(log)) {
  std::error_code ignored;
  fs::create_directories(directory_ / "previous", ignored);  // what is kept there says what is wrong
  const fs::path file = directory_ / kFile;
  if (!fs::exists(file, ignored)) return;
  try {
    read();
  } catch (const std::exception& unfit) {
    marks_.clear();
    crashes_.clear();
    fs::rename(file, directory_ / "plugins.json.bad", ignored);
    log_.warn("could not read what was decided about plugins: nothing of it holds",
              {{"file", file.string()}, {"reason", unfit.what()}, {"kept_as", "plugins.json.bad"}});
  }
}

void Marks::read() {
  std::ifstream in(directory_ / kFile);
  const json document = json::parse(in);
  if (document.at("version") != kVersion) throw std::runtime_error("it is of another version");
  for (const json& row : document.at("marks")) marks_[row.at("file")] = mark_of(row);
  for (const json& row : document.at("crashes")) crashes_.push_back(crash_of(row));
}

// Whole or not at all: a host that is killed meanwhile finds the one before.
void Marks::write() const {
  json marks = json::array(), crashes = json::array();
  for (const auto& [file, mark] : marks_) marks.push_back(to_json(file, mark));
  for (const Crash& crash : crashes_) crashes.push_back(to_json(crash));
  const json document = {{"version", kVersion}, {"marks", std::move(marks)}, {"crashes", std::move(crashes)}};
  const fs::path file = directory_ / kFile, next = directory_ / "plugins.json.new";
  std::ofstream out(next, std::ios::trunc);
  out << document.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  out.close();
  if (!out) fail("write", next);
  sync(next, O_WRONLY);
  if (::rename(next.c_str(), file.c_str()) != 0) fail("write", file);
  sync(directory_, O_RDONLY | O_DIRECTORY);
}

const Mark* Marks::find(const std::string& file) const {
  const auto found = marks_.find(key_of(file));
  return found == marks_.end() ? nullptr : &found->second;
}

void Marks::put(const std::string& file, Mark mark) {
  const auto before = marks_;
  marks_[key_of(file)] = std::move(mark);
  try {
    write();
  } catch (...) {
    marks_ = before;
    throw;
  }
}

void Marks::remove(const std::string& file) {
  const auto before = marks_;
  if (marks_.erase(key_of(file)) == 0) return;
  try {
    write();
  } catch (...) {
    marks_ = before;
    throw;
  }
}

std::size_t Marks::note(const Crash& crash, std::chrono::seconds within) {
  crashes_.push_back(crash);
  crashes_.back().file = key_of(crash.file);
  if (crashes_.size() > kMostCrashes) crashes_.erase(crashes_.begin());
  const auto same = [&](const Crash& one) {
    return one.file == crashes_.back().file && one.digest == crash.digest && one.at_s >= crash.at_s - within.count();
  };
  const auto count = static_cast<std::size_t>(std::count_if(crashes_.begin(), crashes_.end(), same));
  write();
  return count;
}

void Marks::forget_crashes(const std::string& file) {
  const std::string key = key_of(file);
  if (std::erase_if(crashes_, [&](const Crash& crash) { return crash.file == key; }) != 0) write();
}

bool Marks::keep_previous(const std::string& file, const fs::path& copy) noexcept {
  try {
    const fs::path kept = previous_of(file);
    fs::path next = kept;
    next += ".new";
    // Not a link: who wrote to that would write to what is mapped.
    fs::copy_file(copy, next, fs::copy_options::overwrite_existing);
    fs::rename(next, kept);
    return true;
  } catch (const std::exception& failure) {
    log_.warn("could not keep the version before, so that nobody can go back to it",
              {{"file", file}, {"reason", failure.what()}});
    forget_previous(file);
    return false;
  }
}

void Marks::forget_previous(const std::string& file) noexcept {
  std::error_code ignored;
  fs::remove(previous_of(file), ignored);
}

}  // namespace busbar::host
