#include "dispatch/instance.hpp"

#include <algorithm>
#include <cstring>

#include "dispatch/dispatcher.hpp"
#include "dispatch/host_table.hpp"
#include "dispatch/strategy.hpp"

namespace busbar::host {

namespace {

std::string to_string(busbar_text text) { return text.size == 0 ? std::string() : std::string(text.data, text.size); }

registry::Visibility visibility_of(const busbar_service& service) {
  return (service.flags & BUSBAR_SERVICE_PRIVATE) != 0 ? registry::Visibility::private_ : registry::Visibility::public_;
}

registry::ServiceFacts facts_of(const busbar_service& service) {
  const auto has = [&](std::uint32_t flag) { return (service.flags & flag) != 0; };
  return {has(BUSBAR_SERVICE_INLINE), has(BUSBAR_SERVICE_IDEMPOTENT), has(BUSBAR_SERVICE_DRY_RUN_SAFE),
          service.timeout_ms,         strategy_of(service.strategy),  to_string(service.sticky_field)};
}

// Those of an older plugin end earlier.
busbar_service whole(const busbar_service& service) {
  busbar_service out{};
  std::memcpy(&out, &service, std::min<std::size_t>(service.struct_size, sizeof out));
  return out;
}

}  // namespace

Endpoint::Endpoint(Instance& instance, const busbar_service& service, std::string router)
    : LocalProvider(to_string(service.name), std::move(router), visibility_of(service), facts_of(whole(service))),
      instance_(instance),
      c_service_(&service),
      whole_service_(whole(service)),
      doc_(to_string(service.doc)),
      request_schema_(to_string(whole_service_.request_schema)),
      response_schema_(to_string(whole_service_.response_schema)),
      example_(to_string(whole_service_.example)),
      example_assigns_(to_string(whole_service_.example_assigns)),
      default_timeout_ms_(service.timeout_ms != 0 ? service.timeout_ms : kUsualTimeoutMs),
      is_limited_(has_limit()),
      inline_(declared().is_inline),
      stats_(instance.dispatcher().stats_of(this->service(), instance.facts())) {
  gate_.set(whole_service_.max_running, instance.dispatcher().most_waiting(whole_service_.max_queued));
}

bool Endpoint::has_limit() const noexcept { return whole_service_.max_running != 0 || instance_.has_limit(); }

void Endpoint::hold(std::size_t max_waiting) noexcept {
  inline_.store(false, std::memory_order_relaxed);
  if (whole_service_.max_running != 0) gate_.close(max_waiting);
  is_limited_.store(true, std::memory_order_relaxed);
}

void Endpoint::let_go(CallList& let_in) noexcept {
  inline_.store(declared().is_inline && !too_slow_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  is_limited_.store(has_limit(), std::memory_order_relaxed);
  if (whole_service_.max_running != 0) gate_.open(let_in);
}

Instance::Instance(InstanceFacts facts, Dispatcher& dispatcher, Logger log)
    : facts_(std::move(facts)), dispatcher_(dispatcher), log_(std::move(log)), c_host_(make_host_table(*this)) {}

void Instance::adopt(const busbar_router& router) {
  router_ = router;
  gate_.set(router.max_running, dispatcher_.most_waiting(router.max_queued));
  for (std::uint32_t i = 0; i < router.service_count; ++i)
    endpoints_.emplace_back(*this, *router.services[i], facts_.plugin);
}

}  // namespace busbar::host
