#include "tools/twilio-sim/formats.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>

namespace tocsin::sim {
namespace {

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

bool IsE164(std::string_view text) {
  if (text.size() < 8 || text.size() > 16 || text[0] != '+' || text[1] == '0') return false;
  if (!AllDigits(text.substr(1))) return false;
  return text[1] != '1' || text.size() == 12;  // North America: ten digits after +1
}

std::optional<WallTime> ParseIsoTime(std::string_view text) {
  const auto number = [&](size_t at, size_t length) {
    int value = -1;
    const char* const begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + length, value);
    return error == std::errc() && end == begin + length ? value : -1;
  };
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int month = number(5, 2);
  const int day = number(8, 2);
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (number(0, 4) < 0 || month < 0 || day < 0 || !date.ok()) return std::nullopt;
  const WallTime midnight = std::chrono::sys_days(date);
  if (text.size() == 10) return midnight;
  if (text.size() < 20 || text.back() != 'Z' || (text[10] != 'T' && text[10] != ' ')) {
    return std::nullopt;
  }
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  const bool separators = text[13] == ':' && text[16] == ':';
  const bool fraction =
      text.size() == 20 || (text[19] == '.' && AllDigits(text.substr(20, text.size() - 21)));
  if (!separators || !fraction || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60) {
    return std::nullopt;
  }
  return midnight + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace tocsin::sim
