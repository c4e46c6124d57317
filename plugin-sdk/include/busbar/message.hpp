// The message: what travels from a caller to a handler and back (contract, C-M1 to C-M9).
#pragma once

#include <busbar/abi.h>
#include <busbar/message_id.hpp>
#include <busbar/payload.hpp>
#include <busbar/problems.hpp>
#include <busbar/response.hpp>
#include <busbar/text.hpp>
#include <busbar/trace.hpp>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace busbar {

enum class DryRun : std::uint8_t {
  no = BUSBAR_DRY_RUN_NO,
  yes = BUSBAR_DRY_RUN_YES,
  verbose = BUSBAR_DRY_RUN_VERBOSE,
};

/// Who a call comes from, as far as that is proved (C-R8).
enum class CallerKind : std::uint8_t {
  unknown = BUSBAR_CALLER_UNKNOWN,  ///< over a connection without keys
  local = BUSBAR_CALLER_LOCAL,      ///< this process, or whoever may use its admin socket
  node = BUSBAR_CALLER_NODE,        ///< another host: for a plugin there, or a client that it lets in
  client = BUSBAR_CALLER_CLIENT,
  deployer = BUSBAR_CALLER_DEPLOYER,  ///< a client that may also change plugins
};

/// What `validate` makes of it (C-D10).
constexpr DryRun for_validation(DryRun asked) noexcept { return asked == DryRun::no ? DryRun::yes : asked; }

namespace detail {
/// The log metadata that new messages of this thread carry (C-M2). A bare pointer: see message_id.hpp on thread_local.
inline const Payload*& current_log_metadata() {
  static thread_local constinit const Payload* metadata = nullptr;
  return metadata;
}
}  // namespace detail

/// While it lives, new messages made on this thread carry `metadata`, a map with text keys.
/// Ownership: borrows `metadata`. Threads: ends on the thread on which it began.
class LogMetadataScope {
 public:
  explicit LogMetadataScope(const Payload& metadata) noexcept
      : before_(std::exchange(detail::current_log_metadata(), &metadata)) {}
  ~LogMetadataScope() { detail::current_log_metadata() = before_; }
  LogMetadataScope(const LogMetadataScope&) = delete;
  LogMetadataScope& operator=(const LogMetadataScope&) = delete;

 private:
  const Payload* before_;
};

/// A request on its way to a service, and its answer on the way back.
/// Ownership: a message that a handler is given borrows from the call and is valid until the handler returns; a copy
/// of it owns everything. Threads: as for any value.
class Message {
 public:
  using UtcTime = std::chrono::sys_time<std::chrono::microseconds>;

  /// A new message with an id of its own (C-M2). `raw_request` is one CBOR item; absent means `{}`.
  explicit Message(std::string_view service_name, Payload raw_request = {})
      : service_name_(service_name), id_(new_message_id()), raw_request_(std::move(raw_request)) {
    // Coarse: the kernel's tick is exact enough for people, and a precise reading costs as much as a dispatch's lookup.
    timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    invoked_at_us_ = static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
    if (const Payload* metadata = detail::current_log_metadata()) logger_metadata_ = *metadata;
  }

  /// The same for a typed request. Errors: throws what encoding throws.
  template <class Request>
  static Message of(std::string_view service_name, const Request& request) {
    return Message(service_name, Payload::of(request));
  }

  /// A message that `parent` causes: its correlation, its id as causation, its log metadata, deadline and trace (C-M3).
  static Message caused_by(const Message& parent, std::string_view service_name, Payload raw_request = {}) {
    Message out(service_name, std::move(raw_request));
    out.correlation_id_ = Text(parent.correlation_id());
    out.causation_id_ = Text(parent.id());
    out.logger_metadata_ = parent.logger_metadata_;
    out.deadline_us_ = parent.deadline_us_;
    if (!parent.traceparent_.empty()) out.traceparent_ = Text(parent.handed_on_traceparent());
    return out;
  }
  template <class Request>
  static Message caused_by(const Message& parent, std::string_view service_name, const Request& request) {
    return caused_by(parent, service_name, Payload::of(request));
  }

  /// A message of nothing, to be assigned to: without id, time or metadata.
  static Message blank() noexcept { return Message{Unmade{}}; }

  // -- who it is

  std::string_view service_name() const noexcept { return service_name_.view(); }
  std::string_view id() const noexcept { return id_.view(); }
  std::string_view correlation_id() const noexcept { return correlation_id_.empty() ? id() : correlation_id_.view(); }
  std::string_view causation_id() const noexcept {
    return causation_id_.empty() ? correlation_id() : causation_id_.view();
  }
  /// The node that the caller says it is: a claim, not a proof (C-R8).
  std::string_view origin_node() const noexcept { return origin_node_.view(); }
  /// Who it verifiably comes from (C-R8), for a message that is being served: the peer or client of the connection that
  /// it came over. Not what caused it further off: a node answers for whom it lets in.
  CallerKind caller() const noexcept { return caller_; }
  /// That the key of a node, client or deployer says; else empty.
  std::string_view caller_name() const noexcept { return caller_name_.view(); }
  /// Its place in a trace, as whatever it causes hands it on (`traceparent` of an HTTP request, say): the trace that it
  /// came with, else one of its own, and itself as the span.
  TraceParent trace() const noexcept {
    const auto given = traceparent_.empty() ? std::nullopt : TraceParent::parse(traceparent_.view());
    if (!given) return trace_of(correlation_id(), id());
    TraceParent out = *given;
    out.span_id = detail::span_id_of(id());
    return out;
  }
  /// The `traceparent` that it came with, its caller's span in it; empty: none.
  std::string_view traceparent() const noexcept { return traceparent_.view(); }
  /// What a message that it causes comes with: `trace`, where it came with one itself; else nothing.
  std::string handed_on_traceparent() const { return traceparent_.empty() ? std::string() : trace().text(); }
  UtcTime invoked_at() const noexcept { return UtcTime(std::chrono::microseconds(invoked_at_us_)); }
  const Payload& logger_metadata() const noexcept { return logger_metadata_; }
  DryRun dry_run() const noexcept { return dry_run_; }

  Message& to_service(std::string_view name) {  ///< C-M8
    service_name_ = Text(name);
    return *this;
  }
  Message& with_id(std::string_view id) {  ///< a foreign id: 1–128 of [A-Za-z0-9_-]
    id_ = Text(id);
    return *this;
  }
  Message& with_correlation(std::string_view correlation_id, std::string_view causation_id = {}) {
    correlation_id_ = Text(correlation_id);
    causation_id_ = Text(causation_id);
    return *this;
  }
  /// Makes it part of a trace that was begun elsewhere. What is no valid `traceparent` is passed over, as the standard
  /// has it.
  Message& with_traceparent(std::string_view traceparent) {
    const auto valid = TraceParent::parse(traceparent);
    if (!valid) return *this;
    traceparent_ = traceparent.size() == TraceParent::kSize ? Text(traceparent) : Text(valid->text());
    return *this;
  }
  Message& with_origin_node(std::string_view node) {
    origin_node_ = Text(node);
    return *this;
  }
  /// For tests of a router: in a host, it says who calls.
  Message& with_caller(CallerKind caller, std::string_view name = {}) {
    caller_ = caller;
    caller_name_ = Text(name);
    return *this;
  }
  Message& with_dry_run(DryRun dry_run) noexcept {
    dry_run_ = dry_run;
    return *this;
  }
  Message& with_logger_metadata(Payload metadata) {
    logger_metadata_ = std::move(metadata);
    return *this;
  }

  // -- what it asks

  /// The request as received.
  const Payload& raw_request() const noexcept { return raw_request_; }
  /// The raw request as a T. Errors: DecodeError, MalformedPayload.
  template <class T>
  T raw_request_as() const {
    return raw_request_.decode<T>();
  }
  Message& with_raw_request(Payload raw_request) {
    raw_request_ = std::move(raw_request);
    return *this;
  }
  /// Puts or replaces one field of the raw request (C-M8). Errors: MalformedPayload where it is no map.
  template <class T>
  Message& put_in_raw_request(std::string_view field, const T& value) {
    raw_request_ = Payload::own(cbor::with_field(raw_request_.bytes(), field, Payload::of(value).bytes()));
    return *this;
  }
  /// One field of the raw request, or nothing where it is missing. Errors: DecodeError, which names it, where it is no
  /// T.
  template <class T>
  std::optional<T> raw_field(std::string_view field) const {
    return find<T>(raw_request_, field, "field");
  }

  /// The structured, validated request, where one was put.
  const Payload& request() const noexcept { return request_; }
  template <class T>
  T request_as() const {
    return request_.decode<T>();
  }
  bool valid() const noexcept { return valid_; }

  /// Puts the structured request (C-M6). Where T has `void validate(busbar::Problems&) const` and it finds any, the
  /// message becomes invalid, halts, and responds validation_error.
  template <class T>
  Message& put_request(const T& request) {
    if (Problems problems = validate(request); !problems.empty()) {
      valid_ = false;
      return respond(Response::validation_error(problems.all()));
    }
    request_ = Payload::of(request);
    return *this;
  }

  // -- values shared along the way (C-M4)

  template <class T>
  Message& assign(std::string_view key, const T& value) {
    assigns_ = Payload::own(cbor::with_field(assigns_.bytes(), key, Payload::of(value).bytes()));
    assigns_changed_ = true;
    return *this;
  }
  /// The value under `key`, or nothing. Errors: DecodeError, which names the assign, where it is no T. Whoever calls
  /// says what stands there: where it is asked for in `authorize`, such a call is answered badrpc(exit) with that text.
  template <class T>
  std::optional<T> assigned(std::string_view key) const {
    return find<T>(assigns_, key, "assign");
  }
  const Payload& assigns() const noexcept { return assigns_; }
  Message& with_assigns(Payload assigns) {
    assigns_ = std::move(assigns);
    assigns_changed_ = true;
    return *this;
  }

  // -- the aggregate that it concerns (C-M7)

  /// Reads the aggregate's id from `field` of the raw request into `aggregate_id()`. Where it is missing, a new one is
  /// put there if `generate_if_missing`, else the message halts with missing_id(field).
  Message& prepare_aggregate_id(std::string_view field, bool generate_if_missing = false) {
    std::optional<nlohmann::json> id = raw_field<nlohmann::json>(field);
    if (!id || id->is_null()) {
      if (!generate_if_missing) return respond(Response::missing_id(field));
      id = std::string(new_message_id().view());
      put_in_raw_request(field, *id);
    }
    aggregate_meta_ = Payload::own(cbor::with_field(aggregate_meta_.bytes(), "id", Payload::from_json(*id).bytes()));
    return *this;
  }
  std::optional<std::string> aggregate_id() const {
    const auto id = find<nlohmann::json>(aggregate_meta_, "id", "field");
    if (!id) return std::nullopt;
    return id->is_string() ? id->get<std::string>() : id->dump();
  }
  const Payload& aggregate_meta() const noexcept { return aggregate_meta_; }

  // -- the answer (C-M5)

  const Response& response() const noexcept { return response_; }
  bool halted() const noexcept { return halted_; }

  Message& respond(Response&& response) noexcept {
    response_ = std::move(response);
    halted_ = true;
    return *this;
  }
  Message& respond(const Response& response) { return respond(Response(response)); }
  Message& ok() { return respond(Response::ok()); }
  template <class T>
  Message& ok(const T& value) {
    return respond(Response::ok(value));
  }
  template <class T>
  Message& ok(const T& value, std::int64_t version) {
    return respond(Response::ok(value, version));
  }
  Message& created(std::string_view id) { return respond(Response::created(id)); }
  Message& created(std::string_view id, std::int64_t version) { return respond(Response::created(id, version)); }
  Message& error(std::string_view code, std::string_view text = {}) { return respond(Response::error(code, text)); }

  /// Adds an event behind those that are there. An absent payload adds nothing.
  Message& add_event_payload(const Payload& event) {
    if (event.empty()) return *this;
    if (events_.empty()) {
      events_ = {0x9f, 0xff};  // an array of indefinite length: adding needs no count to be rewritten
    }
    events_.insert(events_.end() - 1, event.bytes().begin(), event.bytes().end());
    return *this;
  }
  template <class T>
  Message& add_event(const T& event) {
    return add_event_payload(Payload::of(event));
  }
  Message& add_event(std::nullopt_t) noexcept { return *this; }
  /// Puts all events: a CBOR array, or absent. Errors: MalformedPayload where it is none.
  Message& with_events(const Payload& events) {
    events_.clear();
    if (!events.empty()) take_events({events.bytes().data(), events.bytes().size()});
    return *this;
  }
  /// The events in the order in which they were added: a CBOR array, or absent.
  bool has_events() const noexcept { return !events_.empty(); }
  Payload events() const { return events_.empty() ? Payload() : Payload::borrow(events_); }
  std::vector<nlohmann::json> events_json() const {
    return events_.empty() ? std::vector<nlohmann::json>{} : events().to_json().get<std::vector<nlohmann::json>>();
  }

  // -- time

  /// When the caller stops waiting; nothing for one that no call gave or caused. What it causes inherits it.
  std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept {
    if (deadline_us_ == 0) return std::nullopt;
    // Whoever gives it may mean never, or long ago: as far as the clock can say that.
    constexpr auto kNever = std::chrono::floor<std::chrono::microseconds>(std::chrono::nanoseconds::max());
    return std::chrono::steady_clock::time_point(
        std::chrono::microseconds(std::clamp<std::int64_t>(deadline_us_, 0, kNever.count())));
  }
  Message& with_deadline_us(std::int64_t deadline_us) noexcept {
    deadline_us_ = deadline_us;
    return *this;
  }

  // -- the boundary

  /// The message as C structs. Ownership: points into this message and into `response`, which receives the response.
  busbar_message c_view(busbar_response& response) const noexcept {
    if (response_) response = response_.c_view();
    const Text& correlation_id = correlation_id_.empty() ? id_ : correlation_id_;
    // Each field is written once, where it lies: clearing them first would take longer than the rest.
    return {.struct_size = sizeof(busbar_message),
            .dry_run = static_cast<std::uint8_t>(dry_run_),
            .valid = valid_,
            .halted = halted_,
            .reserved = 0,
            .service_name = service_name_.c_text(),
            .id = id_.c_text(),
            .correlation_id = correlation_id.c_text(),
            .causation_id = (causation_id_.empty() ? correlation_id : causation_id_).c_text(),
            .origin_node = origin_node_.c_text(),
            .invoked_at_us = invoked_at_us_,
            .raw_request = c_bytes(raw_request_.bytes()),
            .request = c_bytes(request_.bytes()),
            .assigns = c_bytes(assigns_.bytes()),
            .events = c_bytes(events_),
            .logger_metadata = c_bytes(logger_metadata_.bytes()),
            .aggregate_meta = c_bytes(aggregate_meta_.bytes()),
            .response = response_ ? &response : nullptr,
            .deadline_us = deadline_us_,
            .caller = static_cast<std::uint32_t>(caller_),
            .reserved2 = 0,
            .caller_name = caller_name_.c_text(),
            .traceparent = traceparent_.c_text()};
  }

  /// A message over C structs. Ownership: borrows from `view`, but for its events; a copy of the result owns.
  /// Errors: std::bad_alloc and MalformedPayload, for the events alone.
  static Message borrow(const busbar_message& view) { return Message(view); }

  /// Whether the assigns were changed since the message was borrowed; for the reply that carries them back.
  bool assigns_changed() const noexcept { return assigns_changed_; }

  /// Makes it what a caller gets back (C-M9, C-R5): without requests, and without events unless dry_run is verbose.
  void strip_for_return() noexcept {
    raw_request_.clear();
    request_.clear();
    if (dry_run_ != DryRun::verbose) events_.clear();
  }

 private:
  struct Unmade {};
  explicit Message(Unmade) noexcept {}

  /// Whether the one who made it knows of callers, and says one that is known here.
  static bool says_caller(const busbar_message& view) noexcept {
    return view.struct_size >= offsetof(busbar_message, traceparent) && view.caller <= BUSBAR_CALLER_DEPLOYER;
  }

  // Every field made where it lies: this runs twice for each call, and a text that is moved there is read in larger
  // pieces than it was just written in, which the processor waits for.
  explicit Message(const busbar_message& view)
      : dry_run_(static_cast<DryRun>(view.dry_run)),
        valid_(view.valid != 0),
        halted_(view.halted != 0),
        caller_(says_caller(view) ? static_cast<CallerKind>(view.caller) : CallerKind::unknown),
        service_name_(Text::borrow(view.service_name)),
        id_(Text::borrow(view.id)),
        correlation_id_(Text::borrow(view.correlation_id)),
        causation_id_(Text::borrow(view.causation_id)),
        origin_node_(Text::borrow(view.origin_node)),
        caller_name_(Text::borrow(says_caller(view) ? view.caller_name : busbar_text{})),
        traceparent_(Text::borrow(view.struct_size >= sizeof(busbar_message) ? view.traceparent : busbar_text{})),
        invoked_at_us_(view.invoked_at_us),
        deadline_us_(view.struct_size >= offsetof(busbar_message, caller) ? view.deadline_us : 0),
        raw_request_(borrow(view.raw_request)),
        request_(borrow(view.request)),
        assigns_(borrow(view.assigns)),
        logger_metadata_(borrow(view.logger_metadata)),
        aggregate_meta_(borrow(view.aggregate_meta)) {
    if (view.events.size != 0) take_events(view.events);
    if (view.response != nullptr) response_ = Response::borrow(*view.response);
  }

  static busbar_bytes c_bytes(std::span<const std::uint8_t> bytes) noexcept { return {bytes.data(), bytes.size()}; }
  static Payload borrow(busbar_bytes bytes) noexcept { return Payload::borrow({bytes.data, bytes.size}); }

  template <class T>
  static std::optional<T> find(const Payload& map, std::string_view key, const char* what) {
    if (map.empty()) return std::nullopt;
    const auto item = cbor::find_field(map.bytes(), key);
    if (!item) return std::nullopt;
    try {
      return cbor::decode<T>(*item);
    } catch (const DecodeError& error) {
      throw error.of(std::string(what) + " \"" + std::string(key) + "\"");
    }
  }
  void take_events(busbar_bytes events) {
    cbor::detail::Reader reader({events.data, events.size});
    const auto head = reader.item_head(0);
    if (head.major() != cbor::detail::kArray) reader.fail("an array was expected");
    const std::uint8_t* first = reader.position;
    reader.skip_body(head, 0);
    reader.expect_end();
    const std::uint8_t* last = reader.position - (head.indefinite() ? 1 : 0);
    if (first == last) return;
    events_.assign(1, 0x9f);
    events_.insert(events_.end(), first, last);
    events_.push_back(0xff);
  }

  DryRun dry_run_ = DryRun::no;
  bool valid_ = true;
  bool halted_ = false;
  bool assigns_changed_ = false;
  CallerKind caller_ = CallerKind::unknown;
  Text service_name_;
  Text id_;
  Text correlation_id_;  // empty: the id
  Text causation_id_;    // empty: the correlation id
  Text origin_node_;
  Text caller_name_;
  Text traceparent_;  // as it came; empty: the trace is made of the ids
  std::int64_t invoked_at_us_ = 0;
  std::int64_t deadline_us_ = 0;
  Payload raw_request_;
  Payload request_;
  Payload assigns_;
  std::vector<std::uint8_t> events_;  // a CBOR array, or empty
  Payload logger_metadata_;
  Payload aggregate_meta_;
  Response response_;
};

}  // namespace busbar
