#include "host_client.hpp"

#include <string>

#include "failure.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

wire::AdminAnswer decoded(std::span<const std::uint8_t> bytes) {
  try {
    const auto host = cbor::decode<wire::AdminProtocol>(bytes);
    if (host.protocol != wire::kAdminProtocol) {
      refuse_answer("it is of version " + std::to_string(host.protocol) +
                    " of the admin protocol, this command line speaks version " + std::to_string(wire::kAdminProtocol));
    }
    return cbor::decode<wire::AdminAnswer>(bytes);
  } catch (const DecodeError& unfit) {
    refuse_answer(unfit.what());
  } catch (const MalformedPayload& malformed) {
    refuse_answer(malformed.what());
  }
}

ExitStatus exit_status_of(const wire::AdminError& error) {
  if (error.code == wire::admin_code::kStopping) return ExitStatus::no_host;
  if (error.code == wire::name_of(Response::Kind::service_unavailable)) return ExitStatus::service_unavailable;
  return ExitStatus::error;
}

}  // namespace

void refuse_answer(std::string_view why) {
  throw Failure(ExitStatus::error, wire::admin_code::kProtocol, "could not read the host's answer: " + printable(why),
                "use the command line that was installed with the host");
}

wire::AdminAnswer read_answer(std::span<const std::uint8_t> bytes) {
  wire::AdminAnswer answer = decoded(bytes);
  if (!answer.error) return answer;
  throw Failure(exit_status_of(*answer.error), answer.error->code,
                "the host refused the request: " + answer.error->text);
}

}  // namespace busbar::cli
