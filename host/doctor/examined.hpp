// What the checks look at.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "doctor/finding.hpp"

namespace busbar::host::doctor {

/// A host that runs, or one that would be started like this.
struct Examined {
  Config config;  ///< in effect, or that it would start with
  /// Its answers, as `busbar VERB --json` shows them: "status", "config", "plugins", "views", as far as there are any;
  /// an empty object: no host answers.
  nlohmann::json running = nlohmann::json::object();
  uid_t user = 0;  ///< who runs it, or would
  pid_t pid = 0;   ///< of the host that holds the run directory; 0: none does

  bool is_running() const { return running.contains("status"); }
  /// A member of a document, found through a path such as "/status/cluster"; null where there is none.
  nlohmann::json answer(const std::string& path) const {
    const nlohmann::json::json_pointer pointer(path);
    return running.contains(pointer) ? running.at(pointer) : nlohmann::json();
  }
};

// The checks. Each says something in any case, so that it is seen what was looked at. Errors: std::bad_alloc; whatever
// cannot be found out is a finding.

void check_host(const Examined& host, Findings& findings);
void check_configuration(const Examined& host, Findings& findings);
void check_keys(const Examined& host, Findings& findings);
void check_directories(const Examined& host, Findings& findings);
void check_limits(const Examined& host, Findings& findings);
void check_ports(const Examined& host, Findings& findings);
void check_seeds(const Examined& host, Findings& findings);
void check_clock(const Examined& host, Findings& findings);
void check_peers(const Examined& host, Findings& findings);
void check_plugins(const Examined& host, Findings& findings);

}  // namespace busbar::host::doctor
