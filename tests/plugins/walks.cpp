// A service that takes its time and then calls others, one after the other, as its request says; it answers the trace
// that it was in, and how the others have answered. What it is called, and how many of its calls run at a time, is the
// build's to say, so that several nodes can have one each.
#include <busbar/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Step {
  std::string service;
  nlohmann::json request;
  std::uint32_t timeout_ms = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(service), busbar::field("request", request, nlohmann::json::object()),
            busbar::field("timeout_ms", timeout_ms, 0));
  }
};

struct Walk {
  std::uint32_t ms = 0;
  std::vector<Step> then;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(busbar::field("ms", ms, 0), busbar::field("then", then, std::vector<Step>()));
  }
};

class Walks final : public busbar::Router {
 public:
  Walks() {
    auto& declared = service(WALKS_SERVICE, &Walks::walk);
#ifdef WALKS_AT_A_TIME
    declared.limit(WALKS_AT_A_TIME);
#else
    (void)declared;
#endif
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  nlohmann::json walk(const Walk& request, busbar::Context& context) {
    std::this_thread::sleep_for(std::chrono::milliseconds(request.ms));
    context.log().info("walked");
    nlohmann::json then = nlohmann::json::array();
    for (const Step& step : request.then) {
      const busbar::Message back = context.call(step.service, step.request, std::chrono::milliseconds(step.timeout_ms));
      const busbar::Response& response = back.response();
      then.push_back(response.succeeded() ? response.value().to_json()
                                          : nlohmann::json(std::string(response.error_code())));
    }
    return {{"traceparent", context.traceparent()}, {"then", std::move(then)}};
  }
};

}  // namespace

BUSBAR_PLUGIN(Walks, WALKS_SERVICE, "1.0.0")
