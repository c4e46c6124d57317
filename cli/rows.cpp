#include "rows.hpp"

namespace busbar::cli {

Json rows_of(const Ask& ask, std::string_view verb, const char* member, const std::string& service) {
  wire::AdminRequest request;
  request.seq = 1;
  request.verb = verb;
  if (!service.empty()) request.service = service;
  try {
    const wire::AdminAnswer answer = ask(request);
    if (!answer.document) return Json::array();
    Json rows = payload_json(wire::payload_of(answer.document)).value(member, Json::array());
    std::erase_if(rows.get_ref<Json::array_t&>(), [](const Json& row) { return !row.is_object(); });
    return rows;
  } catch (const std::exception&) {
    return Json::array();
  }
}

std::string text_of(const Json& row, const char* member) {
  const auto found = row.find(member);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace busbar::cli
