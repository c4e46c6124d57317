#include "rows.hpp"

namespace busbar::cli {

Json rows_in(const Json& document, const char* member) {
  const auto found = document.is_object() ? document.find(member) : document.end();
  Json rows = Json::array();
  if (found == document.end() || !found->is_array()) return rows;
  for (const Json& row : *found) {
    if (row.is_object()) rows.push_back(row);
  }
  return rows;
}

Json rows_of(const Ask& ask, std::string_view verb, const char* member, const std::string& service) {
  wire::AdminRequest request;
  request.seq = 1;
  request.verb = verb;
  if (!service.empty()) request.service = service;
  try {
    const wire::AdminAnswer answer = ask(request);
    if (!answer.document) return Json::array();
    return rows_in(payload_json(wire::payload_of(answer.document)), member);
  } catch (const std::exception&) {
    return Json::array();
  }
}

std::string text_of(const Json& row, const char* member) {
  const auto found = row.find(member);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace busbar::cli
