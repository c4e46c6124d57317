// What a handler's types say of its service: the schemas of request and response, and an example that works.
#pragma once

#include <busbar/detail/handler.hpp>
#include <busbar/problems.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace busbar::detail {

/// The texts are JSON; an empty one says nothing.
struct Signature {
  std::string request_schema;
  std::string response_schema;
  std::string example;
  std::string example_assigns;
  std::vector<std::string> request_fields;  ///< empty: not known
  /// What a request, as CBOR, would be refused for; null where nothing is known of requests.
  std::vector<FieldError> (*faults_of)(std::span<const std::uint8_t> request) = nullptr;
};

template <class Request>
std::vector<FieldError> faults_of_request(std::span<const std::uint8_t> bytes) {
  try {
    return validate(cbor::decode<Request>(bytes)).all();
  } catch (const DecodeError& error) {
    return error.fields();
  }
}

/// The request that has all values as its type makes them, where that one is good.
template <class Request>
std::string example_of() {
  try {
    const Payload request = Payload::of(Request{});
    if (faults_of_request<Request>(request.bytes()).empty()) return cbor::to_json_text(request.bytes());
  } catch (...) {
    // The class does not like to be written, read or looked at like that.
  }
  return {};
}

/// Errors: std::logic_error for a type that cannot be mapped.
template <class Request>
void describe_request(Signature& signature) {
  cbor::check_shape<Request>();
  signature.request_schema = cbor::request_schema<Request>();
  signature.request_fields = cbor::request_fields<Request>();
  signature.faults_of = &faults_of_request<Request>;
  signature.example = example_of<Request>();
}

/// Errors: as above.
template <class Response>
void describe_response(Signature& signature) {
  cbor::check_shape<Response>();
  signature.response_schema = cbor::response_schema<Response>();
}

/// Errors: as above.
template <class Result, class... Args>
Signature signature_of() {
  using First = typename FirstArgument<Args...>::type;
  Signature signature;
  if constexpr (std::is_void_v<First>) {
    signature.request_schema = R"({"description":"nothing is read of it"})";
    signature.example = "{}";
  } else if constexpr (!is_message_v<First>) {
    describe_request<std::remove_cvref_t<First>>(signature);
  }
  if constexpr (std::is_void_v<Result>) {
    // One that takes the message may have put its answer there.
    if constexpr (!is_message_v<First>) signature.response_schema = R"({"type":"null"})";
  } else if constexpr (!is_message_v<Result> && !std::same_as<Result, Response> && !std::same_as<Result, NoReply>) {
    describe_response<Result>(signature);
  }
  return signature;
}

}  // namespace busbar::detail
