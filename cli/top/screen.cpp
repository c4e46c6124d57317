#include "top/screen.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "bench/numbers.hpp"

namespace busbar::cli {

namespace {

/// Names have ASCII alone, by their rules; what comes instead from who does not heed them is shown as `?`.
std::string tame(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

std::string cut(std::string text, std::size_t width) {
  if (text.size() <= width) return text;
  text.resize(width);
  if (width > 1) text.back() = '~';
  return text;
}

std::string time_text(const std::optional<double>& us) {
  return us ? short_time(std::chrono::nanoseconds(std::llround(*us * 1e3))) : "-";
}

std::string uptime_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 1e12));
  if (whole < 120) return std::to_string(whole) + " s";
  if (whole < 7'200) return std::to_string(whole / 60) + " min";
  return whole < 172'800 ? std::to_string(whole / 3'600) + " h" : std::to_string(whole / 86'400) + " days";
}

// ------------------------------------------------------------------------------------------------------------ tables

struct Column {
  const char* title;
  std::size_t width;  ///< of the first one: the least
  bool right = true;
};

/// One section: the first column takes what the others leave; where they leave too little, the last ones go first.
struct Section {
  std::string title;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
};

std::size_t columns_that_fit(const std::vector<Column>& columns, std::size_t width) {
  std::size_t taken = columns[0].width;
  std::size_t count = 1;
  while (count < columns.size() && taken + 1 + columns[count].width <= width) taken += 1 + columns[count++].width;
  return count;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string fits = cut(text, width);
  const std::string pad(width - fits.size(), ' ');
  return right ? pad + fits : fits + pad;
}

ScreenLine line_of(const std::vector<Cell>& row, const std::vector<Column>& columns, std::size_t count,
                   std::size_t width) {
  std::size_t rest = width;
  for (std::size_t i = 1; i < count; ++i) rest -= 1 + columns[i].width;
  ScreenLine line;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t own = i == 0 ? rest : columns[i].width;
    line.push_back({(i == 0 ? "" : " ") + padded(row[i].text, own, i != 0 && columns[i].right), row[i].colour});
  }
  return line;
}

void add_section(std::vector<ScreenLine>& out, const Section& section, std::size_t width, std::size_t most_rows) {
  const std::size_t shown = std::min(section.rows.size(), most_rows);
  const std::size_t fitting = columns_that_fit(section.columns, width);
  std::vector<Cell> head;
  for (const Column& column : section.columns) head.push_back({column.title, Colour::bold});
  head[0].text = section.title;
  if (shown < section.rows.size()) {
    head[0].text += " (" + std::to_string(shown) + " of " + std::to_string(section.rows.size()) + ")";
  }
  if (width < section.columns[0].width) {
    out.push_back({{cut(head[0].text, width), Colour::bold}});
    for (std::size_t i = 0; i < shown; ++i) out.push_back({{cut(section.rows[i][0].text, width), Colour::none}});
    return;
  }
  out.push_back(line_of(head, section.columns, fitting, width));
  for (std::size_t i = 0; i < shown; ++i) {
    out.push_back(line_of(section.rows[i], section.columns, fitting, width));
  }
}

// ---------------------------------------------------------------------------------------------------------- sections

/// Of the columns in `kRates`.
std::vector<Cell> cells_of(const CallRates& rates, bool is_measured) {
  const auto rate = [is_measured](double per_s) { return is_measured ? rate_text(per_s) : "-"; };
  return {{rate(rates.calls_per_s), rates.calls_per_s > 0 ? Colour::green : Colour::none},
          {time_text(rates.p50_us)},
          {time_text(rates.p99_us)},
          {rate(rates.errors_per_s), rates.errors_per_s > 0 ? Colour::red : Colour::none}};
}
constexpr std::array<Column, 4> kRates = {{{"CALLS/S", 9}, {"P50", 7}, {"P99", 7}, {"ERRORS/S", 8}}};

// The columns are in the order of what they are worth.
Section services_section(const TopView& view) {
  Section out{"SERVICES", {{"", 16}}, {}};
  out.columns.insert(out.columns.end(), kRates.begin(), kRates.end());
  for (const Column& column : {Column{"RUN", 5}, Column{"QUEUE", 5}, Column{"PLUGIN", 12, false}}) {
    out.columns.push_back(column);
  }
  for (const ServiceRates& row : view.interval.services) {
    std::vector<Cell> cells = cells_of(row.rates, view.interval.length_us != 0);
    cells.insert(cells.begin(), {tame(row.service)});
    cells.push_back({std::to_string(row.running)});
    cells.push_back({std::to_string(row.queued)});
    cells.push_back({tame(row.plugin)});
    out.rows.push_back(std::move(cells));
  }
  return out;
}

Section nodes_section(const TopView& view) {
  Section out{"NODES", {{"", 16}, {"STATE", 11, false}}, {}};
  out.columns.insert(out.columns.end(), kRates.begin(), kRates.end());
  for (const Column& column : {Column{"TRIP", 7}, Column{"SERVICES", 8}}) out.columns.push_back(column);
  for (std::size_t i = 0; i < view.now.nodes.size(); ++i) {
    const auto& row = view.now.nodes[i];
    const bool is_good = row.state == "up" || row.state == "self";
    const auto round_trip = row.round_trip_us == 0 ? std::nullopt : std::optional<double>(row.round_trip_us);
    const bool is_measured = view.interval.length_us != 0 && row.state != "self";  // which has none of its own there
    std::vector<Cell> cells = cells_of(view.interval.nodes[i], is_measured);
    cells.insert(cells.begin(), {tame(row.state), is_good ? Colour::green : Colour::red});
    cells.insert(cells.begin(), {tame(row.name)});
    cells.push_back({time_text(round_trip)});
    cells.push_back({std::to_string(row.services)});
    out.rows.push_back(std::move(cells));
  }
  return out;
}

Section plugins_section(const TopView& view) {
  Section out{"PLUGINS", {{"", 16}, {"STATE", 8, false}, {"VERSION", 12, false}, {"GENERATION", 10}, {"RUN", 5}}, {}};
  for (const auto& row : view.now.plugins) {
    const Colour colour = row.state == "serving"                          ? Colour::green
                          : row.state == "failed" || row.state == "stuck" ? Colour::red
                                                                          : Colour::yellow;
    out.rows.push_back({{tame(row.name)},
                        {tame(row.state), colour},
                        {tame(row.version)},
                        {std::to_string(row.generation)},
                        {std::to_string(row.calls_running)}});
  }
  return out;
}

// -------------------------------------------------------------------------------------------------------- all of it

ScreenLine headline(const TopView& view, std::size_t width) {
  const auto& pool = view.now.pool;
  const std::string node = "busbar top: " + tame(view.now.node);
  const std::string rest = "  up " + uptime_text(view.now.uptime_s) + "  pool " + std::to_string(pool.busy) + " of " +
                           std::to_string(pool.threads) + " busy, " + std::to_string(pool.queued) + " queued";
  const std::string kept = cut(node, rest.size() < width ? width - rest.size() : width);
  return {{kept, Colour::bold}, {cut(rest, width - kept.size()), Colour::none}};
}

ScreenLine second_line(const TopView& view, std::size_t width) {
  if (!view.problem.empty()) return {{cut(tame(view.problem), width), Colour::red}};
  constexpr std::array<std::pair<SortBy, const char*>, 4> kKeys = {
      {{SortBy::rate, "r rate"}, {SortBy::p99, "p p99"}, {SortBy::errors, "e errors"}, {SortBy::name, "n name"}}};
  ScreenLine out;
  std::size_t left = width;
  const auto add = [&](const std::string& text, Colour colour) {
    out.push_back({cut(text, left), colour});
    left -= out.back().text.size();
  };
  add("sort by:", Colour::dim);
  for (const auto& [order, text] : kKeys) {
    add("  ", Colour::none);
    add(text, order == view.order ? Colour::bold : Colour::dim);
  }
  add("  quit: q", Colour::dim);
  return out;
}

/// How many rows each section has, of so many: nodes and plugins get up to a quarter each, and what nobody else needs.
std::array<std::size_t, 3> shares(std::size_t rows, const std::array<std::size_t, 3>& wanted) {
  std::array<std::size_t, 3> out{};
  const std::size_t quarter = rows / 4;
  out[1] = std::min(wanted[1], quarter);
  out[2] = std::min(wanted[2], quarter);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t taken = out[0] + out[1] + out[2];
    out[i] = std::min(wanted[i], out[i] + rows - taken);
  }
  return out;
}

}  // namespace

std::vector<ScreenLine> screen_of(const TopView& view, std::size_t width, std::size_t height) {
  const std::array<Section, 3> sections = {services_section(view), nodes_section(view), plugins_section(view)};
  const std::array<std::size_t, 3> wanted = {sections[0].rows.size(), sections[1].rows.size(), sections[2].rows.size()};
  constexpr std::size_t kAround = 2 + 3 * 2;  // both lines on top, and for each section an empty one and its head
  const auto rows = height == 0 ? wanted : shares(height > kAround ? height - kAround : 0, wanted);
  std::vector<ScreenLine> out = {headline(view, width)};
  if (height != 0) out.push_back(second_line(view, width));
  for (std::size_t i = 0; i < sections.size(); ++i) {
    out.push_back({});
    add_section(out, sections[i], width, rows[i]);
  }
  if (height != 0 && out.size() > height) out.resize(height);
  return out;
}

Json top_json(const Snapshot& now, const Interval& interval) {
  const auto with_rates = [](Json row, const CallRates& rates) {
    const auto or_null = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
    row["calls_per_s"] = rates.calls_per_s;
    row["errors_per_s"] = rates.errors_per_s;
    row["p50_us"] = or_null(rates.p50_us);
    row["p99_us"] = or_null(rates.p99_us);
    return row;
  };
  Json out = {{"node", now.node},
              {"interval_us", interval.length_us},
              {"uptime_s", now.uptime_s},
              {"pool", {{"threads", now.pool.threads}, {"busy", now.pool.busy}, {"queued", now.pool.queued}}},
              {"services", Json::array()},
              {"nodes", Json::array()},
              {"plugins", Json::array()}};
  for (const auto& row : interval.services) {
    const Json named = {
        {"service", row.service}, {"plugin", row.plugin}, {"running", row.running}, {"queued", row.queued}};
    out["services"].push_back(with_rates(named, row.rates));
  }
  for (std::size_t i = 0; i < now.nodes.size(); ++i) {
    const auto& row = now.nodes[i];
    const Json trip = row.round_trip_us == 0 ? Json() : Json(row.round_trip_us);
    const Json named = {{"name", row.name},
                        {"state", row.state},
                        {"round_trip_us", trip},
                        {"services", row.services},
                        {"pending", row.pending}};
    out["nodes"].push_back(with_rates(named, interval.nodes[i]));
  }
  for (const auto& row : now.plugins) {
    out["plugins"].push_back({{"name", row.name},
                              {"version", row.version},
                              {"generation", row.generation},
                              {"state", row.state},
                              {"calls_running", row.calls_running}});
  }
  return out;
}

}  // namespace busbar::cli
