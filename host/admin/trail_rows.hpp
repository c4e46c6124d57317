// What one node knows of the calls of one correlation.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "dispatch/dispatcher.hpp"

namespace busbar::host {

/// [{"kind","service","message_id","causation_id","begun_us", …}…], the last thousand: what has ended left (`ran`: with
/// "queued_us" and "running_us"; `ended`, which may have these, and `asked`: with "duration_us", "outcome",
/// "timeout_ms", and "node" if it was another), and what goes on (`queued`, `running`, `deferred`, `sent`). `begun_us`
/// is of this node's clock alone.
nlohmann::json trail_rows(const Dispatcher& dispatcher, std::string_view correlation_id);

}  // namespace busbar::host
