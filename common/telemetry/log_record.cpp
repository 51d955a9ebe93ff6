#include "common/telemetry/log_record.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "common/telemetry/scrub.h"

namespace tocsin::telemetry {
namespace {

using Json = nlohmann::ordered_json;

// A record is a sequence of items: one character for the type, then the bytes of a number, or the
// length and bytes of a string.
constexpr char kString = 's';
constexpr char kSigned = 'i';
constexpr char kUnsigned = 'u';
constexpr char kDouble = 'd';
constexpr char kBool = 'b';

template <typename Number>
void PackNumber(std::string& record, char type, Number number) {
  record += type;
  record.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void PackString(std::string& record, std::string_view text) {
  const std::string_view kept = text.substr(0, kLogStringLimit);
  PackNumber(record, kString, static_cast<std::uint32_t>(kept.size()));
  record.append(kept);
}

void PackValue(std::string& record, const LogValue& value) {
  std::visit(
      [&record](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string_view>) {
          PackString(record, held);
        } else if constexpr (std::is_same_v<Held, std::int64_t>) {
          PackNumber(record, kSigned, held);
        } else if constexpr (std::is_same_v<Held, std::uint64_t>) {
          PackNumber(record, kUnsigned, held);
        } else if constexpr (std::is_same_v<Held, double>) {
          PackNumber(record, kDouble, held);
        } else if constexpr (std::is_same_v<Held, bool>) {
          PackNumber(record, kBool, held);
        } else {
          PackString(record, "[" + std::to_string(held.size) + " hidden]");
        }
      },
      value.value());
}

class Unpacker {
 public:
  explicit Unpacker(std::string_view record) : rest_(record) {}

  bool done() const { return rest_.empty(); }

  Json Next() {
    const char type = Read(1).front();
    switch (type) {
      case kString: return Scrub(Read(Number<std::uint32_t>()));
      case kSigned: return Number<std::int64_t>();
      case kUnsigned: return Number<std::uint64_t>();
      case kDouble: return Number<double>();
      case kBool: return Number<bool>();
    }
    std::abort();  // PackRecord() writes no other type
  }

 private:
  template <typename T>
  T Number() {
    T number{};
    std::memcpy(&number, Read(sizeof number).data(), sizeof number);
    return number;
  }

  std::string_view Read(size_t count) {
    if (count > rest_.size()) std::abort();  // PackRecord() wrote a valid length
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }

  std::string_view rest_;
};

}  // namespace

std::string PackRecord(std::string_view event, std::string_view body,
                       std::initializer_list<LogField> fields) {
  std::string record;
  record.reserve(64 + event.size() + body.size() + fields.size() * 64);
  PackString(record, event);
  PackString(record, body);
  for (const LogField& field : fields) {
    PackString(record, field.key);
    PackValue(record, field.value);
  }
  return record;
}

std::string RenderLine(const LogIdentity& identity, std::chrono::system_clock::time_point time,
                       Severity severity, std::string_view record) {
  Unpacker unpacker(record);
  Json event = unpacker.Next();
  Json body = unpacker.Next();
  Json line;
  line["timestamp"] = Rfc3339(time);
  line["severity_text"] = NameOf(severity);
  line["body"] = std::move(body);
  line["service.name"] = identity.service_name;
  line["service.version"] = Version();
  line["service.instance.id"] = identity.service_instance_id;
  line["event.name"] = std::move(event);
  while (!unpacker.done()) {
    const std::string key = unpacker.Next().get<std::string>();
    Json value = unpacker.Next();
    line.emplace(key, std::move(value));
  }
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string Rfc3339(std::chrono::system_clock::time_point time) {
  const auto micros = std::chrono::floor<std::chrono::microseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(micros);
  const std::time_t whole = std::chrono::system_clock::to_time_t(seconds);
  std::tm utc{};
  gmtime_r(&whole, &utc);
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900,
                    utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                    static_cast<int>((micros - seconds).count()));
  return {text, static_cast<size_t>(length)};
}

}  // namespace tocsin::telemetry
