#include "response_json.hpp"

#include <string>

#include "text.hpp"

namespace busbar::cli {

namespace {

using Kind = Response::Kind;

/// Texts are as the host sent them, and the wire lets nothing but UTF-8 through.
std::string text_of(std::string_view text) { return std::string(text); }

void add_error(Json& json, const Response& response) {
  json["code"] = text_of(response.error_code());
  json["text"] = text_of(response.text());
  if (response.is_error(code::kBadRpc)) json["kind"] = text_of(response.bad_rpc_kind());
  if (response.is_error(code::kTryAnotherNode)) json["reason"] = text_of(response.reason());
  if (response.value().empty()) return;
  json[response.is_error(code::kNoNodesAvailable) ? "nodes" : "value"] = payload_json(response.value());
}

void add_members(Json& json, const Response& response) {
  switch (response.kind()) {
    case Kind::none:
      return;
    case Kind::ok:
      if (!response.value().empty()) json["value"] = payload_json(response.value());
      break;
    case Kind::created:
      json["id"] = text_of(response.id());
      break;
    case Kind::service_unavailable:
      json["service"] = text_of(response.service());
      return;
    case Kind::service_timeout:
      json["service"] = text_of(response.service());
      json["message_id"] = text_of(response.message_id());
      json["timeout_ms"] = response.timeout_ms();
      return;
    case Kind::validation_error:
      json["details"] = response.value().empty() ? Json::array() : payload_json(response.value());
      return;
    case Kind::missing_id:
      json["field"] = text_of(response.field());
      return;
    case Kind::error:
      return add_error(json, response);
  }
  if (response.version()) json["version"] = *response.version();
}

}  // namespace

Json payload_json(const Payload& payload) {
  try {
    return Json(payload.to_json());
  } catch (const NotJson& not_json) {
    throw Failure(ExitStatus::error, failure_code::kNotJson,
                  "could not show the answer: it holds " + not_json.found() + ", which JSON cannot say");
  } catch (const MalformedPayload& malformed) {
    throw Failure(ExitStatus::error, failure_code::kNotJson,
                  "could not show the answer: " + std::string(malformed.what()));
  }
}

Json response_json(const Response& response) {
  Json json = {{"response", wire::name_of(response.kind())}};
  add_members(json, response);
  return json;
}

Json reply_json(const wire::AdminReply& reply) {
  const Response response = wire::from_wire(reply.response);
  Json json = {{"response", wire::name_of(response.kind())}, {"node", reply.node}, {"duration_us", reply.duration_us}};
  add_members(json, response);
  json["message_id"] = reply.message_id;
  json["correlation_id"] = reply.correlation_id;
  if (reply.assigns) json["assigns"] = payload_json(wire::payload_of(reply.assigns));
  if (reply.events) json["events"] = payload_json(wire::payload_of(reply.events));
  if (reply.warning) json["warning"] = *reply.warning;
  return json;
}

ExitStatus exit_status_of(const Response& response) {
  switch (response.kind()) {
    case Kind::ok:
    case Kind::created:
      return ExitStatus::ok;
    case Kind::service_unavailable:
      return ExitStatus::service_unavailable;
    case Kind::service_timeout:
      return ExitStatus::timeout;
    case Kind::validation_error:
    case Kind::missing_id:
      return ExitStatus::invalid;
    case Kind::none:
    case Kind::error:
      break;
  }
  if (response.is_error(code::kForbidden)) return ExitStatus::forbidden;
  return response.is_bad_rpc(badrpc::kTimeout) ? ExitStatus::timeout : ExitStatus::error;
}

Json failure_json(const Failure& failure) {
  Json error = {{"code", failure.code()}, {"text", failure.what()}};
  if (const auto& position = failure.position()) {
    error["line"] = position->line;
    error["column"] = position->column;
  }
  if (!failure.hint().empty()) error["hint"] = failure.hint();
  return {{"error", std::move(error)}};
}

}  // namespace busbar::cli
