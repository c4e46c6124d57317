// The plugin my-plugin: greets people, and knows whom it greeted last.
#pragma once

#include <busbar/plugin.hpp>
#include <busbar/thread_safety.hpp>

#include <cstdint>
#include <optional>
#include <string>

// ---- what callers send and get: plain structs; `serialize` names their fields, and that is all. A field that it does
// not mention does not travel.

/// Whom to greet.
struct Greet {
  std::string name;
  std::string greeting = "Hello";
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), busbar::field("greeting", greeting, "Hello"));  // the second may be left out
  }
  void validate(busbar::Problems& problems) const;
};

struct Greeting {
  std::string text;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(text));
  }
};

/// What was greeted so far.
struct Greeted {
  std::int64_t count = 0;
  std::optional<std::string> last;  // nothing where nobody was greeted yet
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(count), CEREAL_NVP(last));
  }
};

// ---- the router

class MyPluginRouter final : public busbar::Router {
 public:
  MyPluginRouter();
  busbar::Authorization authorize(const busbar::Message& message) override;

 private:
  Greeting greet(const Greet& request, busbar::Context& context);
  Greeted greeted();

  // Handlers run on many threads at once: what they share needs a lock.
  busbar::Mutex mutex_;
  Greeted greeted_ BUSBAR_GUARDED_BY(mutex_);
};
