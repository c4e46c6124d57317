// Times as RFC 3339 text: "2026-01-31T12:00:00.250Z".
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace busbar::cbor::detail {

enum : std::size_t { kMaxTimeText = 32 };

inline char* put_digits(char* to, std::uint64_t value, int digits) noexcept {
  for (int i = digits; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
  return to + digits;
}

/// How many digits behind the point it takes to write a duration exactly; at most 9.
template <class D>
constexpr int fraction_digits() {
  if constexpr (std::chrono::treat_as_floating_point_v<typename D::rep>) {
    return 9;
  } else {
    int digits = 0;
    for (std::intmax_t in_second = 1; digits < 9 && (in_second * D::period::num) % D::period::den != 0; ++digits)
      in_second *= 10;
    return digits;
  }
}

constexpr std::int64_t power_of_ten(int exponent) {
  std::int64_t value = 1;
  while (exponent-- > 0) value *= 10;
  return value;
}

/// Writes seconds since 1970 and a fraction of `digits` digits; null when the year does not have four digits.
/// `to` has kMaxTimeText bytes.
inline char* put_time(char* to, std::int64_t seconds, std::uint64_t fraction, int digits) noexcept {
  constexpr std::int64_t kYear0 = -62'167'219'200, kYear10000 = 253'402'300'800;
  if (seconds < kYear0 || seconds >= kYear10000) return nullptr;
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto in_day = static_cast<std::uint64_t>((time - day).count());
  to = put_digits(to, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.day()), 2);
  *to++ = 'T';
  to = put_digits(to, in_day / 3600, 2);
  *to++ = ':';
  to = put_digits(to, in_day / 60 % 60, 2);
  *to++ = ':';
  to = put_digits(to, in_day % 60, 2);
  if (digits != 0) {
    *to++ = '.';
    to = put_digits(to, fraction, digits);
  }
  *to++ = 'Z';
  return to;
}

/// A time to the nanosecond, in a range that no type of std::chrono has.
struct ParsedTime {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

class TimeParser {
 public:
  explicit TimeParser(std::string_view text) : text_(text) {}

  /// Digits finer than a nanosecond are dropped; a leap second counts as the first of the next minute.
  std::optional<ParsedTime> parse() {
    const std::int64_t year = number(4);
    expect("-");
    const auto month = static_cast<unsigned>(number(2));
    expect("-");
    const auto day = static_cast<unsigned>(number(2));
    expect("Tt ");
    const std::int64_t hour = number(2);
    expect(":");
    const std::int64_t minute = number(2);
    expect(":");
    const std::int64_t second = number(2);
    const std::int64_t nanoseconds = fraction();
    const std::int64_t offset = zone();
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                                           std::chrono::day(day));
    if (!good_ || at_ != text_.size() || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return ParsedTime{days * 86400 + hour * 3600 + minute * 60 + second - offset, nanoseconds};
  }

 private:
  char next() noexcept { return at_ < text_.size() ? text_[at_++] : '\0'; }

  void expect(std::string_view one_of) noexcept {
    const char c = next();
    good_ = good_ && c != '\0' && one_of.find(c) != std::string_view::npos;
  }

  std::int64_t number(int digits) noexcept {
    std::int64_t value = 0;
    for (; digits != 0; --digits) {
      const char c = next();
      good_ = good_ && c >= '0' && c <= '9';
      value = value * 10 + (c - '0');
    }
    return good_ ? value : 0;
  }

  bool at_digit() const noexcept { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }

  std::int64_t fraction() noexcept {
    if (at_ >= text_.size() || text_[at_] != '.') return 0;
    ++at_;
    good_ = good_ && at_digit();
    std::int64_t value = 0;
    int digits = 0;
    for (; at_digit(); ++at_)
      if (digits < 9) {
        value = value * 10 + (text_[at_] - '0');
        ++digits;
      }
    return value * power_of_ten(9 - digits);
  }

  std::int64_t zone() noexcept {
    const char sign = next();
    if (sign == 'Z' || sign == 'z') return 0;
    good_ = good_ && (sign == '+' || sign == '-');
    const std::int64_t hours = number(2);
    expect(":");
    const std::int64_t minutes = number(2);
    good_ = good_ && hours <= 23 && minutes <= 59;
    return (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool good_ = true;
};

/// Sets `out` to the time, dropping what is finer than its type; false when the type cannot hold it.
template <class Clock, class D>
bool assign_time(const ParsedTime& time, std::chrono::time_point<Clock, D>& out) {
  using Rep = typename D::rep;
  using Period = typename D::period;
  if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
    const std::chrono::duration<double> whole(static_cast<double>(time.seconds) +
                                              static_cast<double>(time.nanoseconds) / 1e9);
    out = std::chrono::time_point<Clock, D>(std::chrono::duration_cast<D>(whole));
    return true;
  } else {
    // 128 bits hold any time of a year with four digits in the finest of units.
    const __int128_t nanoseconds = static_cast<__int128_t>(time.seconds) * 1'000'000'000 + time.nanoseconds;
    const __int128_t scale = static_cast<__int128_t>(Period::num) * 1'000'000'000;
    __int128_t count = nanoseconds * Period::den / scale;
    if (count * scale > nanoseconds * Period::den) --count;  // towards the past, as floor does
    if (count < std::numeric_limits<Rep>::min() || count > std::numeric_limits<Rep>::max()) return false;
    out = std::chrono::time_point<Clock, D>(D(static_cast<Rep>(count)));
    return true;
  }
}

/// Writes a time with the precision of its type; null when the year does not have four digits.
template <class Clock, class D>
char* put_time(char* to, std::chrono::time_point<Clock, D> time) noexcept {
  using Rep = typename D::rep;
  constexpr int kDigits = fraction_digits<D>();
  constexpr std::int64_t kInSecond = power_of_ten(kDigits);
  __int128_t fractions = 0;  // since 1970, in units of the last digit
  if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
    const double seconds = std::chrono::duration<double>(time.time_since_epoch()).count();
    constexpr double kBeyondAnyYear = 1e12;
    if (!(seconds > -kBeyondAnyYear && seconds < kBeyondAnyYear)) return nullptr;
    fractions = static_cast<__int128_t>(seconds * static_cast<double>(kInSecond));
  } else {
    const __int128_t scaled =
        static_cast<__int128_t>(time.time_since_epoch().count()) * D::period::num * static_cast<__int128_t>(kInSecond);
    fractions = scaled / D::period::den;
    if (fractions * D::period::den > scaled) --fractions;
  }
  __int128_t seconds = fractions / kInSecond;
  if (seconds * kInSecond > fractions) --seconds;
  constexpr std::int64_t kBeyondAnyYear = 1'000'000'000'000;
  if (seconds < -kBeyondAnyYear || seconds > kBeyondAnyYear) return nullptr;
  return put_time(to, static_cast<std::int64_t>(seconds), static_cast<std::uint64_t>(fractions - seconds * kInSecond),
                  kDigits);
}

}  // namespace busbar::cbor::detail
