// What a request's own `validate` finds wrong with it.
#pragma once

#include <busbar/payload.hpp>

#include <string>
#include <utility>
#include <vector>

namespace busbar {

/// Collects faults of a request; each becomes a row of the validation_error's details. Asked of a request that could be
/// read: of one that could not, the details are all that does not fit its type.
/// Example: `void validate(busbar::Problems& problems) const { if (amount <= 0) problems.add("amount", "more than 0");
/// }`
class Problems {
 public:
  /// Adds a fault: the field's path, what would have been right, and what stands there (may be left out).
  void add(std::string path, std::string expected, std::string found = {}) {
    all_.push_back({std::move(path), std::move(expected), std::move(found)});
  }
  bool empty() const noexcept { return all_.empty(); }
  const std::vector<FieldError>& all() const noexcept { return all_; }

 private:
  std::vector<FieldError> all_;
};

/// The faults that `request.validate(problems)` finds; none where its type has no such function.
template <class T>
Problems validate(const T& request) {
  Problems problems;
  if constexpr (requires { request.validate(problems); }) request.validate(problems);
  return problems;
}

}  // namespace busbar
