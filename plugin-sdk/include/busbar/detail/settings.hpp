// A plugin's settings, which remember what the plugin asks for: a key that it never does is a mistyped one.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "busbar/cbor/field_names.hpp"
#include "busbar/payload.hpp"

namespace busbar::detail {

/// What `Router::start` is given. Ownership: borrows its bytes. Threads: one.
class Settings final : public Payload {
 public:
  explicit Settings(std::span<const std::uint8_t> table) noexcept : Payload(Payload::borrow(table)) {
    is_settings_ = true;
  }

  /// A sentence for each key of the table that is none of what the plugin has asked for. None where it looks at more
  /// than the fields of its classes: then whatever is there may be meant.
  std::vector<std::string> complaints() const {
    std::vector<std::string> out;
    if (everything_ || asked_.empty() || empty()) return out;
    std::string known;
    for (const std::string& name : asked_) known += (known.empty() ? "\"" : ", \"") + name + "\"";
    const nlohmann::json table = cbor::to_json(bytes());
    for (const auto& [key, value] : table.items()) {
      if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
      out.push_back("unknown key \"" + key + "\" in the plugin's settings, expected one of " + known);
    }
    return out;
  }

 private:
  template <class T>
  friend void note_asked(const Payload&);
  friend void note_everything_asked(const Payload&);

  // Of a const object: `start` takes one.
  mutable std::vector<std::string> asked_;
  mutable bool everything_ = false;
};

template <class T>
T read_or_default(const Payload& settings) {
  try {
    return settings.decode<T>();
  } catch (const std::exception&) {
    return T{};  // whoever reads it is told
  }
}

/// Notes the fields of T. `settings` is a Settings.
template <class T>
void note_asked(const Payload& settings) {
  const auto& self = static_cast<const Settings&>(settings);
  if constexpr (cbor::detail::kind_of<cbor::InputArchive, T>() == cbor::detail::Kind::structure) {
    cbor::detail::FieldNames fields;
    try {
      // Of a value of its own: a `load` may change what it reads into, though it is given nothing. One that was read,
      // as a class may ask for one field where it has found another.
      T scratch = read_or_default<T>(settings);
      cbor::detail::visit_members(fields, scratch);
      for (auto& name : fields.names) self.asked_.push_back(std::move(name));
    } catch (...) {
      self.everything_ = true;  // what it asks for is not known
    }
  } else {
    self.everything_ = true;
  }
}

inline void note_everything_asked(const Payload& settings) {
  static_cast<const Settings&>(settings).everything_ = true;
}

}  // namespace busbar::detail
