// Handlers that behave in every way in which a handler can: a service each.
#include <busbar/plugin.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Owner {
  std::string name;
  std::uint8_t age = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(age));
  }
};

struct Typed {
  Owner owner;
  std::vector<std::int64_t> numbers;
  std::optional<bool> flag;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(owner), CEREAL_NVP(numbers), CEREAL_NVP(flag));
  }
};

struct Pause {
  std::uint32_t ms = 0;
  std::string answer;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(ms), busbar::field("answer", answer, std::string("slept")));
  }
};

struct Depth {
  std::uint32_t depth = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(depth));
  }
};

struct Nested {
  std::string service;
  nlohmann::json request;
  std::uint32_t timeout_ms = 0;
  std::string sticky_key;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(service), CEREAL_NVP(request), busbar::field("timeout_ms", timeout_ms, 0),
            busbar::field("sticky_key", sticky_key, std::string()));
  }
};

struct Key {
  std::string key;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(key));
  }
};

struct Lines {
  std::uint32_t count = 1;
  std::string text;
  std::string level;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(count), CEREAL_NVP(text), busbar::field("level", level, std::string("info")));
  }
};

class Behaviours final : public busbar::Router {
 public:
  Behaviours() {
    declare_failures();
    declare_times();
    declare_answers();
    service("nests", &Behaviours::nests);
    service("recurses", &Behaviours::recurses);
    service("forbidden_to_all", &Behaviours::nothing);
    service("refused_by_rule", &Behaviours::nothing);
    service("authorize_throws", &Behaviours::nothing);
    service("needs_assign", &Behaviours::nothing);
    private_service("kept_private", &Behaviours::nothing).doc("For its own node only.");
  }

  busbar::Authorization authorize(const busbar::Message& message) override {
    const auto service = message.service_name();
    if (service == "forbidden_to_all") return busbar::forbidden();
    if (service == "refused_by_rule") return busbar::refused("closed_on_sundays", "come back tomorrow");
    if (service == "authorize_throws") throw std::runtime_error("the doorman has fallen asleep");
    if (service == "needs_assign" && message.assigned<std::string>("user") != "ada") return busbar::forbidden();
    return busbar::authorized();
  }

  void start(const busbar::Payload& config) override {
    config_ = config.to_json();
    if (config_.contains("throw")) throw std::runtime_error(config_["throw"].get<std::string>());
  }

  void stop() override {
    const std::lock_guard lock(mutex_);
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void declare_failures() {
    service("throws", &Behaviours::throws);
    service("throws_number", &Behaviours::throws_number);
    service("says_nothing", &Behaviours::says_nothing);
    service("drops_handle", &Behaviours::drops_handle);
    service("takes_no_handle", &Behaviours::takes_no_handle);
    service("answers_twice", &Behaviours::answers_twice);
    service("answers_twice_in_thread", &Behaviours::answers_twice_in_thread);
    service("second_answers_taken", &Behaviours::second_answers_taken);
  }

  void declare_times() {
    service("never_returns", &Behaviours::never_returns);
    service("sleeps", &Behaviours::sleeps);
    service("waits_for", &Behaviours::waits_for);
    service("waits_in_line", &Behaviours::waits_for).limit(1, 1);
    service("opens", &Behaviours::opens);
    service("answers_later", &Behaviours::answers_later);
    service("answers_nobody", &Behaviours::answers_nobody);
    service("late_answers_refused", &Behaviours::late_answers_refused);
    service("inline_slow", &Behaviours::inline_slow).inlined();
    service("inline_stays", &Behaviours::inline_stays).inlined();
    service("inline_waits", &Behaviours::inline_waits).inlined();
    service("own_timeout", &Behaviours::sleeps).timeout(milliseconds(50));
  }

  void declare_answers() {
    service("answers_kind", &Behaviours::answers_kind);
    service("typed", &Behaviours::typed).doc("Answers with the typed request.");
    service("big", &Behaviours::big);
    service("configured", &Behaviours::configured);
    service("shows_message", &Behaviours::shows_message);
    service("logs", &Behaviours::logs);
    service("logs_lines", &Behaviours::logs_lines);
    service("logs_elsewhere", &Behaviours::logs_elsewhere);
  }

  // -- failures

  busbar::Response throws() { throw std::runtime_error("the kettle has boiled over"); }
  busbar::Response throws_number() { throw 7; }
  busbar::Response says_nothing() { return {}; }
  busbar::NoReply drops_handle(busbar::Context& context) {
    { const auto handle = context.reply_handle(); }
    return busbar::no_reply;
  }
  busbar::NoReply takes_no_handle() { return busbar::no_reply; }

  std::string answers_twice(busbar::Context& context) {
    auto handle = context.reply_handle();
    handle.reply(busbar::Response::ok(std::string("first")));
    if (handle.reply(busbar::Response::ok(std::string("second")))) ++second_answers_taken_;
    return "third";
  }
  busbar::NoReply answers_twice_in_thread(busbar::Context& context) {
    in_thread([this, handle = context.reply_handle()]() mutable {
      handle.reply(busbar::Response::ok(std::string("first")));
      if (handle.reply(busbar::Response::ok(std::string("second")))) ++second_answers_taken_;
    });
    return busbar::no_reply;
  }
  std::uint32_t second_answers_taken() { return second_answers_taken_; }

  // -- time

  busbar::Response never_returns() {
    while (true) std::this_thread::sleep_for(milliseconds(50));
  }
  std::string sleeps(const Pause& request) {
    std::this_thread::sleep_for(milliseconds(request.ms));
    return request.answer;
  }

  // Returns once "opens" was called with the same key: so that a test says when a handler ends.
  std::string waits_for(const Key& request, busbar::Context& context) {
    context.log().info("waiting for " + request.key);
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (open_.contains(request.key)) return request.key + " is open";
      }
      std::this_thread::sleep_for(milliseconds(2));
    }
  }
  void opens(const Key& request) {
    const std::lock_guard lock(mutex_);
    open_[request.key] = true;
  }

  busbar::NoReply answers_later(const Pause& request, busbar::Context& context) {
    in_thread([this, handle = context.reply_handle(), request]() mutable {
      std::this_thread::sleep_for(milliseconds(request.ms));
      const bool gone = handle.caller_gone();
      handle.reply(busbar::Response::ok(request.answer));
      if (gone) ++late_answers_;
    });
    return busbar::no_reply;
  }
  // Answers once its caller is gone.
  busbar::NoReply answers_nobody(busbar::Context& context) {
    context.log().info("waiting for nobody");
    in_thread([this, handle = context.reply_handle()]() mutable {
      while (!handle.caller_gone()) std::this_thread::sleep_for(milliseconds(1));
      handle.reply(busbar::Response::ok());
      ++late_answers_;
    });
    return busbar::no_reply;
  }
  std::uint32_t late_answers_refused() { return late_answers_; }

  std::string inline_slow() {
    std::this_thread::sleep_for(milliseconds(3));
    return "at last";
  }
  std::string inline_stays() {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  nlohmann::json inline_waits(busbar::Context& context) {
    return std::string(context.call("configured", nlohmann::json::object()).response().error_code());
  }

  // -- answers

  busbar::Response answers_kind(const Key& request) {
    using busbar::Response;
    const std::map<std::string, Response> answers = {
        {"ok", Response::ok()},
        {"ok_value", Response::ok(42)},
        {"ok_value_version", Response::ok(std::string("v"), 3)},
        {"ok_version", Response::ok_version(3)},
        {"created", Response::created("id-1")},
        {"created_version", Response::created("id-1", 9)},
        {"validation_error", Response::validation_error({{"owner.name", "text", "integer 7"}})},
        {"missing_id", Response::missing_id("account")},
        {"error", Response::error("out_of_tea", "there is none", busbar::Payload::of(std::string("oolong")))},
        {"forbidden", Response::forbidden()},
        {"bad_rpc", Response::bad_rpc(busbar::badrpc::kTimeout, "gave up")},
        {"try_another_node", Response::try_another_node("too hot here")},
    };
    return answers.at(request.key);
  }
  Typed typed(const Typed& request) { return request; }
  std::string big(const Pause& request) { return std::string(std::size_t{request.ms} * 1024, 'b'); }  // ms: KiB here
  nlohmann::json configured() { return config_; }

  // What a handler sees of its message, and what of it comes back.
  busbar::Message shows_message(busbar::Message& message, busbar::Context& context) {
    static constexpr const char* kDryRuns[] = {"no", "yes", "verbose"};
    const nlohmann::json seen = {{"correlation_id", message.correlation_id()},
                                 {"causation_id", message.causation_id()},
                                 {"dry_run", kDryRuns[static_cast<int>(message.dry_run())]},
                                 {"has_time_left", context.time_left().count() > 0},
                                 {"caller_gone", context.caller_gone()}};
    message.assign("seen_by", std::string("behaviours"));
    message.add_event(std::string("first"));
    message.add_event(std::string("second"));
    return message.ok(seen);
  }
  void logs(const Key& request, busbar::Context& context) { context.log().warn(request.key); }
  void logs_lines(const Lines& request, busbar::Context& context) {
    const busbar::Logger log = context.log();
    for (std::uint32_t i = 0; i < request.count; ++i) {
      const std::string line = request.text + " " + std::to_string(i);
      request.level == "debug" ? log.debug(line) : log.info(line);
    }
  }
  // Where there is no context: by the plugin's own means in the handler, and in a callback.
  std::string logs_elsewhere(busbar::Context& context) {
    log().info("in the handler");
    const busbar::Message nested = context.caused("kept_private", nlohmann::json::object());
    std::promise<void> done;
    host().dispatch_async(nested, [&](const busbar::Message&) {
      log().info("in the callback");
      done.set_value();
    });
    done.get_future().wait();
    return std::string(nested.id());
  }
  void nothing() {}

  // -- calls of its own

  nlohmann::json nests(const Nested& request, busbar::Context& context) {
    const auto message = context.call(request.service, request.request,
                                      {.timeout = milliseconds(request.timeout_ms), .sticky_key = request.sticky_key});
    const auto& response = message.response();
    return {{"succeeded", response.succeeded()},
            {"code", std::string(response.error_code())},
            {"timed_out", response.kind() == busbar::Response::Kind::service_timeout},
            {"value", response.value().empty() ? nlohmann::json() : response.value().to_json()}};
  }
  busbar::Response recurses(const Depth& request, busbar::Context& context) {
    if (request.depth == 0) return busbar::Response::ok(0);
    const auto message = context.call("recurses", Depth{request.depth - 1});
    if (!message.response().succeeded()) return message.response();
    return busbar::Response::ok(message.response().value_as<int>() + 1);
  }

  template <class Body>
  void in_thread(Body body) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(std::move(body));
  }

  nlohmann::json config_;
  std::atomic<std::uint32_t> second_answers_taken_{0};
  std::atomic<std::uint32_t> late_answers_{0};
  std::mutex mutex_;
  std::map<std::string, bool> open_;
  std::vector<std::thread> threads_;
};

}  // namespace

BUSBAR_PLUGIN(Behaviours, "behaviours", "1.0.0")
