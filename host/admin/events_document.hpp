// The last events as the command line shows them.
#pragma once

#include <busbar/wire/admin.hpp>

#include <nlohmann/json.hpp>

#include "events/event_history.hpp"

namespace busbar::host {

/// Where a reader goes on, out of what an answer gave it as "next". Errors: DecodeError, MalformedPayload.
EventHistory::Cursor read_cursor(const wire::Item& item);

/// {"events": […], "missed": …, "next": …}: one object for each event, with what applies to it.
nlohmann::json events_document(const EventHistory::Page& page);

}  // namespace busbar::host
