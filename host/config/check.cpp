#include "config/check.hpp"

#include "log/text.hpp"

namespace busbar::host {

namespace {

std::vector<ConfigFault> faults_of(const ConfigSource& source) {
  try {
    load_config(source);
    return {};
  } catch (const ConfigError& error) {
    return error.faults();
  }
}

std::string subject(const ConfigSource& source) {
  return source.file ? "configuration " + in_quotes(source.file->native()) : "the configuration without a file";
}

}  // namespace

nlohmann::json to_json(const std::vector<ConfigFault>& faults) {
  nlohmann::json out = nlohmann::json::array();
  for (const ConfigFault& fault : faults) {
    out.push_back({{"text", fault.text}});
    if (fault.line != 0) out.back().update({{"line", fault.line}, {"column", fault.column}});
  }
  return out;
}

int check_config(const ConfigSource& source, bool json, std::ostream& out) {
  const std::vector<ConfigFault> faults = faults_of(source);
  if (json) {
    nlohmann::json document = {{"good", faults.empty()}, {"file", nullptr}, {"faults", to_json(faults)}};
    if (source.file) document["file"] = source.file->native();
    out << document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  } else if (faults.empty()) {
    out << subject(source) << " is good\n";
  } else {
    for (const ConfigFault& fault : faults) out << fault.text << '\n';
    out << faults.size() << (faults.size() == 1 ? " fault" : " faults") << ": no host would start with "
        << subject(source) << '\n';
  }
  return faults.empty() ? 0 : 1;
}

}  // namespace busbar::host
