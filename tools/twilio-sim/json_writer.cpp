#include "tools/twilio-sim/json_writer.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <iterator>

#include "common/domain/message/segments.h"

namespace tocsin::sim {

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void ObjectWriter::Name(std::string_view name) {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void ObjectWriter::Text(std::string_view name, std::string_view value) {
  Name(name);
  AppendQuoted(out_, value);
}

void ObjectWriter::TextOrNull(std::string_view name, std::string_view value) {
  if (value.empty()) return Raw(name, "null");
  Text(name, value);
}

void ObjectWriter::Number(std::string_view name, std::int64_t value) {
  Name(name);
  fmt::format_to(std::back_inserter(out_), "{}", value);
}

void ObjectWriter::NumberOrNull(std::string_view name, std::int64_t value) {
  if (value == 0) return Raw(name, "null");
  Number(name, value);
}

void ObjectWriter::Boolean(std::string_view name, bool value) {
  Raw(name, value ? "true" : "false");
}

void ObjectWriter::Raw(std::string_view name, std::string_view json) {
  Name(name);
  out_ += json;
}

std::string Rfc2822(WallTime time) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format(
      "{}, {:02} {} {} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

std::string ScrubUtf8(std::string_view text) {
  if (IsValidUtf8(text)) return std::string(text);
  std::string clean;
  while (!text.empty()) {
    size_t length = 1;
    while (length <= 4 && length <= text.size() && !IsValidUtf8(text.substr(0, length))) ++length;
    const bool valid = length <= 4 && length <= text.size();
    clean += valid ? text.substr(0, length) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(valid ? length : 1);
  }
  return clean;
}

}  // namespace tocsin::sim
