// C-D16: the blocking and the asynchronous form mean the same, whatever the case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "support/event_log.hpp"
#include "support/hub.hpp"

namespace busbar::testing {
namespace {

std::latch* hold = nullptr;

Script cases(std::uint32_t flags) {
  const std::string prefix = flags == 0 ? "pooled_" : "inline_";
  Script script;
  const auto on = [&](const std::string& name, Script::Answer answer) { script.on(prefix + name, answer, flags); };
  on("ok", [](Message&, Context&) { return Response::ok(); });
  on("value", [](Message& m, Context&) { return Response::ok_payload(m.raw_request()); });
  on("version", [](Message&, Context&) { return Response::ok(std::string("v"), 9); });
  on("version_alone", [](Message&, Context&) { return Response::ok_version(9); });
  on("created", [](Message&, Context&) { return Response::created("id-1", 2); });
  on("unavailable", [](Message&, Context&) { return Response::service_unavailable("another"); });
  on("timeout", [](Message&, Context&) { return Response::service_timeout("another", "its-id", 5); });
  on("validation", [](Message&, Context&) { return Response::validation_error({{"a", "text", "integer 7"}}); });
  on("missing_id", [](Message&, Context&) { return Response::missing_id("field"); });
  on("error", [](Message&, Context&) { return Response::error("mine", "text", Payload::of(3)); });
  on("try_another", [](Message&, Context&) { return Response::try_another_node("why"); });
  on("overloaded", [](Message&, Context&) { return Response::error("overloaded"); });
  on("throws", [](Message&, Context&) -> Response { throw std::runtime_error("what"); });
  on("nothing", [](Message&, Context&) { return Response(); });
  on("decorated", [](Message& m, Context&) {
    m.assign("a", 1).assign("b", std::string(100, 'b')).add_event(1).add_event(std::string("two"));
    return Response::ok();
  });
  script.defer(
      prefix + "no_reply", [](Message&, Context&) {}, flags);
  script.authorize_with([](const Message& m) {
    if (m.assigned<bool>("forbidden").value_or(false)) return forbidden();
    return authorized();
  });
  return script;
}

// All of a message that a caller can see.
nlohmann::json seen(const Message& m) {
  const Response& r = m.response();
  nlohmann::json out = {{"service", m.service_name()},
                        {"id", m.id()},
                        {"correlation", m.correlation_id()},
                        {"causation", m.causation_id()},
                        {"origin", m.origin_node()},
                        {"dry_run", static_cast<int>(m.dry_run())},
                        {"valid", m.valid()},
                        {"halted", m.halted()},
                        {"raw_request", m.raw_request().to_json()},
                        {"request", m.request().to_json()},
                        {"assigns", m.assigns().to_json()},
                        {"events", m.events().to_json()},
                        {"metadata", m.logger_metadata().to_json()},
                        {"kind", static_cast<int>(r.kind())},
                        {"code", r.error_code()},
                        {"text", r.text()},
                        {"detail", r.reason()},
                        {"response_service", r.service()},
                        {"response_message", r.message_id()},
                        {"response_id", r.id()},
                        {"field", r.field()},
                        {"timeout_ms", r.timeout_ms()},
                        {"value", r.value().to_json()}};
  if (r.version()) out["version"] = *r.version();
  return out;
}

TEST(BothForms, C_D16_GiveTheSameForEveryKindOfAnswerServiceAndDryRun) {
  Hub hub;
  hub.add("pooled", cases(0));
  hub.add("inline", cases(BUSBAR_SERVICE_INLINE));
  std::vector<std::string> services{"nobody", "Not A Name", ""};
  for (const auto& service : hub.registry().list(registry::Listing::all)) services.push_back(service->service());
  ASSERT_GT(services.size(), 30u);
  int compared = 0;
  for (const auto& service : services) {
    for (const DryRun dry_run : {DryRun::no, DryRun::yes, DryRun::verbose}) {
      for (const bool forbid : {false, true}) {
        for (const bool halted : {false, true}) {
          Message message = Message::of(service, std::string("request"));
          message.with_dry_run(dry_run).assign("forbidden", forbid).add_event(0);
          message.put_request(1).with_origin_node("somewhere").with_correlation("corr", "cause");
          if (halted) message.error("stopped");
          const auto blocking = seen(hub.call(message, {}, Form::blocking));
          const auto async = seen(hub.call(message, {}, Form::async));
          EXPECT_EQ(blocking, async) << service;
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 300);
}

TEST(BothForms, C_D16_GiveTheSameWhenTheTimeIsUp) {
  std::latch let_go(1);
  hold = &let_go;
  Hub hub;
  hub.add("p", Script().on("slow", [](Message&, Context&) {
    hold->wait();
    return Response::ok();
  }));
  Message message = Message::of("slow", 1);
  message.assign("kept", 5).add_event(1).put_request(2);
  for (const DryRun dry_run : {DryRun::no, DryRun::verbose}) {
    message.with_dry_run(dry_run);
    EXPECT_EQ(seen(hub.call(message, {3}, Form::blocking)), seen(hub.call(message, {3}, Form::async)));
  }
  let_go.count_down();
}

TEST(BothForms, C_D16_CountTheSame) {
  for (const std::uint32_t flags : {0u, BUSBAR_SERVICE_INLINE}) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> counted;
    for (const Form form : {Form::blocking, Form::async}) {
      Hub hub;
      auto& instance = hub.add("p", cases(flags));
      for (const auto& service : hub.registry().list(registry::Listing::all)) {
        hub.call(Message::of(service->service(), 1), {}, form);
      }
      EXPECT_TRUE(hub.quiet());
      counted.emplace_back(instance.calls_served(), instance.errors());
    }
    EXPECT_EQ(counted[0], counted[1]);
    EXPECT_GT(counted[0].second, 0u);
  }
}

}  // namespace
}  // namespace busbar::testing
