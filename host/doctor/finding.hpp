// What `busbar doctor` says of one thing.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace busbar::host::doctor {

enum class Health { ok, warning, problem };
std::string_view name_of(Health health) noexcept;

struct Finding {
  std::string check;    ///< of which kind: "keys", "ports", …
  std::string subject;  ///< what was looked at
  Health state = Health::ok;
  std::string found;
  std::string expected{};  ///< empty where all is well
  std::string advice{};    ///< what to do; empty where all is well
};

/// The findings of one check after another.
class Findings {
 public:
  void ok(std::string_view check, std::string subject, std::string found) {
    all_.push_back({std::string(check), std::move(subject), Health::ok, std::move(found)});
  }
  void warning(std::string_view check, std::string subject, std::string found, std::string expected,
               std::string advice) {
    all_.push_back({std::string(check), std::move(subject), Health::warning, std::move(found), std::move(expected),
                    std::move(advice)});
  }
  void problem(std::string_view check, std::string subject, std::string found, std::string expected,
               std::string advice) {
    all_.push_back({std::string(check), std::move(subject), Health::problem, std::move(found), std::move(expected),
                    std::move(advice)});
  }
  const std::vector<Finding>& all() const noexcept { return all_; }
  std::size_t count(Health health) const;

 private:
  std::vector<Finding> all_;
};

/// {"checks": [{"check","subject","state","found","expected","advice"}…], "problems": N, "warnings": N}
nlohmann::json to_json(const Findings& findings);
/// The same for people.
std::string to_text(const Findings& findings);

}  // namespace busbar::host::doctor
