#include "bench/verb.hpp"

#include <string>

#include "bench/driver.hpp"
#include "bench/report.hpp"
#include "similar.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace {

/// All callers' requests may wait in memory at a time.
constexpr std::uint64_t kMostUnderWay = std::uint64_t{1} << 30;

wire::AdminRequest call_of(const Command& command, std::istream& in) {
  wire::AdminRequest call;
  call.verb = wire::admin_verb::kCall;
  call.service = command.service;
  add_call(call, command, in);
  const std::uint64_t size = call.request->size();
  const std::uint64_t callers = command.bench.callers_or_usual();
  if (size * callers > kMostUnderWay) {
    throw usage_failure("could not have " + std::to_string(callers) + " callers with a request of " +
                            std::to_string(size) + " bytes: expected at most " + std::to_string(kMostUnderWay) +
                            " bytes under way",
                        "say --callers " + std::to_string(kMostUnderWay / size) + " or less");
  }
  return call;
}

Progress::Style style_of(const Command& command, bool err_is_terminal) {
  if (err_is_terminal) return Progress::Style::over_itself;
  return command.bench.progress ? Progress::Style::lines : Progress::Style::none;
}

BenchResult measure(const Command& command, const ConnectPipe& connect, bool err_is_terminal, const Streams& streams) {
  const auto pipe = connect(call_of(command, streams.in));
  Interrupts interrupts;
  Progress progress(streams.err, style_of(command, err_is_terminal));
  return Driver(command.bench, command.timeout_ms, *pipe, interrupts, progress).run();
}

}  // namespace

ExitStatus run_bench(const Command& command, const ConnectPipe& connect, const Ask& ask, bool err_is_terminal,
                     const Streams& streams) {
  try {
    const BenchResult result = measure(command, connect, err_is_terminal, streams);
    const BenchReport report{command.service, command.node, command.bench, result};
    if (command.json) {
      streams.out << report_json(report).dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    } else {
      streams.out << report_text(report, Palette(streams.coloured_out));
      if (result.broken_off) streams.err << failure_text(*result.broken_off, Palette(streams.coloured_err));
    }
    if (result.broken_off) return result.broken_off->status();
    return is_good(result) ? ExitStatus::ok : ExitStatus::error;
  } catch (const Failure& failure) {
    if (failure.status() != ExitStatus::service_unavailable || command.json) throw;
    const auto name = similar_service(command.service, ask);
    throw name ? Failure(failure.status(), failure.code(), failure.what(), "did you mean " + in_quotes(*name) + "?")
               : failure;
  }
}

}  // namespace busbar::cli
