#include "daemon/crash_report.hpp"

#include <busbar/abi.h>
#include <busbar/names.hpp>
#include <busbar/trace.hpp>

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/ucontext.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string_view>

#include "daemon/crash_marker.hpp"
#include "dispatch/plugin_step.hpp"
#include "log/writer.hpp"

namespace busbar::host {

namespace {

constexpr std::array kSignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// How long what was logged before the crash may take to be written.
constexpr std::chrono::milliseconds kForTheOthers{1'000};

constexpr std::string_view kHint =
    "a debugger shows where, from a core dump: see coredumpctl, or say ulimit -c unlimited before the next start; "
    "without the plugin's file the host starts without it";

LogWriter* writer = nullptr;  // never let go
std::atomic<bool> reported{false};
thread_local constinit std::array<char, 200> uncaught{};  // what the exception said that nobody catches

std::string_view name_of_signal(int number) noexcept {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "SIGABRT";
  }
}

// A line of the log, made without memory and without anything else that a signal handler may not use: so not by
// log_line, whose form it has.
class Line {
 public:
  Line(std::string_view logger, std::string_view message) noexcept {
    if (is_for_journal()) put("<3>");
    if (is_json()) {
      put("{");
      if (!is_for_journal()) {
        put(R"("at":")");
        put_now();
        put("\",");
      }
      put(R"("level":"error","logger":")");
      put(logger);
      put(R"(","message":")");
      put(message);
      put("\"");
    } else {
      if (!is_for_journal()) {
        put_now();
        put(" ");
      }
      put("error ");
      put(logger);
      put(": ");
      put(message);
    }
  }

  // Nothing where the value is empty. What might end the quotes or the line becomes a `?`.
  void field(std::string_view key, std::string_view value) noexcept {
    if (value.empty()) return;
    begin_field(key);
    const bool bare = !is_json() && value.find_first_of(" =\"\\") == std::string_view::npos;
    if (!bare) put("\"");
    for (const char c : value) put_one(c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c);
    if (!bare) put("\"");
  }
  void field(std::string_view key, std::string_view before, std::uint64_t hex) noexcept {
    std::array<char, 300> text;
    std::size_t size = before.copy(text.data(), 256);
    for (const char c : {'0', 'x'}) text[size++] = c;
    int shift = 60;
    while (shift > 0 && (hex >> shift) == 0) shift -= 4;
    for (; shift >= 0; shift -= 4) text[size++] = "0123456789abcdef"[(hex >> shift) & 0xF];
    field(key, {text.data(), size});
  }

  void write() noexcept {
    put(is_json() ? "}\n" : "\n");
    writer->wait(kForTheOthers);
    writer->write_last({text_.data(), size_});
  }

 private:
  static bool is_json() noexcept { return writer->form().format == LogFormat::json; }
  static bool is_for_journal() noexcept { return writer->form().for_journal; }

  void begin_field(std::string_view key) noexcept {
    put(is_json() ? ",\"" : " ");
    put(key);
    put(is_json() ? "\":" : "=");
  }
  void put_one(char c) noexcept {
    if (size_ < text_.size()) text_[size_++] = c;
  }
  void put(std::string_view text) noexcept {
    for (const char c : text) put_one(c);
  }
  void put_number(unsigned number, unsigned digits) noexcept {
    if (digits > 1) put_number(number / 10, digits - 1);
    put_one(static_cast<char>('0' + number % 10));
  }

  // RFC 3339, UTC. Not by gmtime_r, which may take a lock.
  void put_now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const std::chrono::sys_seconds at{std::chrono::seconds(now.tv_sec)};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    const auto second = static_cast<unsigned>((at - day).count());
    put_number(static_cast<unsigned>(static_cast<int>(date.year())), 4);
    put("-");
    put_number(static_cast<unsigned>(date.month()), 2);
    put("-");
    put_number(static_cast<unsigned>(date.day()), 2);
    put("T");
    put_number(second / 3600, 2);
    put(":");
    put_number(second / 60 % 60, 2);
    put(":");
    put_number(second % 60, 2);
    put(".");
    put_number(static_cast<unsigned>(now.tv_nsec / 1'000'000), 3);
    put("Z");
  }

  std::array<char, 2000> text_;
  std::size_t size_ = 0;
};

std::uintptr_t instruction_of(const void* context) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine.pc;
#else
  static_cast<void>(machine);
  return 0;
#endif
}

// In which file the instruction is, and where there: of a thread of a plugin's own it is all that is known. Returns the
// file's name, which is empty for the host itself.
std::string_view put_code(Line& line, std::uintptr_t instruction) noexcept {
  dl_find_object found{};
  // The one search that a signal handler may make (dladdr takes a lock).
  if (::_dl_find_object(reinterpret_cast<void*>(instruction), &found) != 0) return {};
  std::string_view file = found.dlfo_link_map->l_name;
  file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is 0
  std::array<char, 256> text;
  std::size_t size = (file.empty() ? std::string_view("busbard") : file).copy(text.data(), text.size() - 1);
  text[size++] = '+';
  line.field("code", {text.data(), size}, instruction - found.dlfo_link_map->l_addr);
  return file;
}

// For the host that comes after this one.
void leave_note(int number, std::string_view code) noexcept {
  std::array<char, 190> text;
  std::size_t size = 0;
  const auto put = [&](std::string_view part) { size += part.copy(text.data() + size, text.size() - size); };
  put(name_of_signal(number));
  if (const PluginStep* const step = PluginStep::current()) {
    put(" in its ");
    put(step->function());
  } else if (const Call* const call = Call::current()) {
    put(" in service ");
    put(call->endpoint()->service());
  }
  CrashMarker::note_crash({text.data(), size}, code);
}

// Without std::string, which may need memory.
void put_trace_id(Line& line, const CallIds& ids) noexcept {
  if (!is_message_id(ids.message_id) || !is_message_id(ids.correlation_id)) return;
  const TraceParent trace = TraceParent::parse(ids.traceparent).value_or(trace_of(ids.correlation_id, ids.message_id));
  std::array<char, 2 * sizeof trace.trace_id> digits;
  for (std::size_t i = 0; i < trace.trace_id.size(); ++i) {
    digits[2 * i] = "0123456789abcdef"[trace.trace_id[i] >> 4];
    digits[2 * i + 1] = "0123456789abcdef"[trace.trace_id[i] & 0xF];
  }
  line.field("trace_id", {digits.data(), digits.size()});
}

void put_plugin(Line& line) noexcept {
  if (const PluginStep* const step = PluginStep::current()) {
    line.field("plugin", step->instance().facts().plugin);
    line.field("function", step->function());
  } else if (const Call* const call = Call::current()) {
    line.field("plugin", call->endpoint()->instance().facts().plugin);
    line.field("service", call->endpoint()->service());
    const CallIds ids = ids_of(*call);
    if (is_message_id(ids.message_id)) line.field("message_id", ids.message_id);
    if (is_message_id(ids.correlation_id)) line.field("correlation_id", ids.correlation_id);
    put_trace_id(line, ids);
  }
}

void report(int number, const siginfo_t& info, const void* context) noexcept {
  const bool inside = PluginStep::current() != nullptr || Call::current() != nullptr;
  Line line("host.crash", inside ? "a plugin crashed, and the host ends with it" : "crashed: the host ends");
  line.field("signal", name_of_signal(number));
  if (info.si_code > 0) line.field("address", {}, reinterpret_cast<std::uintptr_t>(info.si_addr));  // else: was sent
  put_plugin(line);
  line.field("exception", uncaught.data());
  leave_note(number, put_code(line, instruction_of(context)));
  line.field("hint", kHint);
  line.write();
}

// All of kSignals are blocked meanwhile: should the report crash in its turn, the kernel ends the process.
extern "C" void on_crash(int number, siginfo_t* info, void* context) {
  // Often it is several threads. Only one tells, and the others must not end the process before that is done.
  while (reported.exchange(true)) ::pause();
  report(number, *info, context);
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  ::sigaction(number, &usual, nullptr);
  // The faulty instruction is run again and faults again, now as if nobody had looked: the core dump shows it. What was
  // sent must be sent again.
  if (info->si_code <= 0) ::raise(number);
}

[[noreturn]] void on_terminate() noexcept {
  try {
    if (const auto exception = std::current_exception()) std::rethrow_exception(exception);
  } catch (const std::exception& exception) {
    const std::string_view what = exception.what();
    uncaught[what.copy(uncaught.data(), uncaught.size() - 1)] = '\0';
  } catch (...) {
    constexpr std::string_view kUnknown = "no std::exception";
    kUnknown.copy(uncaught.data(), kUnknown.size());
  }
  std::abort();
}

}  // namespace

void report_crashes(const Logs& logs) noexcept {
  // They have handlers of their own, and write reports that ours would take the place of.
  if (BUSBAR_BUILD_FLAGS != 0) return;
  static const std::shared_ptr<LogWriter> kept = logs.writer();
  writer = kept.get();
  if (writer == nullptr) return;
  std::set_terminate(&on_terminate);
  struct sigaction action {};
  action.sa_sigaction = &on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int number : kSignals) sigaddset(&action.sa_mask, number);
  for (const int number : kSignals) ::sigaction(number, &action, nullptr);
}

}  // namespace busbar::host
