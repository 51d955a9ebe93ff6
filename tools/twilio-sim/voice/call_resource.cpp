#include "tools/twilio-sim/voice/call_resource.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/json_writer.h"
#include "tools/twilio-sim/messages/message_resource.h"
#include "tools/twilio-sim/sids.h"

namespace tocsin::sim {
namespace {

constexpr std::string_view kDirection = "outbound-api";

int Seconds(const Call& call) { return static_cast<int>(std::ceil(call.duration.count())); }
int Minutes(const Call& call) { return (Seconds(call) + 59) / 60; }

std::string Price(const Call& call, const Timing& timing, WallTime now) {
  const bool billed = call.status == CallStatus::kCompleted &&
                      now >= call.When(CallStatus::kCompleted) + timing.billed;
  return billed ? fmt::format("-{:.5f}", kPricePerMinute * Minutes(call)) : "";
}

// North American format; other numbers unchanged.
std::string Formatted(const std::string& number) {
  if (!number.starts_with("+1") || number.size() != 12) return number;
  return fmt::format("({}) {}-{}", number.substr(2, 3), number.substr(5, 3), number.substr(8));
}

// A SID derived from the number.
std::string NumberSid(const std::string& number) {
  return SidOf(SeededRandom(0), "PN", std::hash<std::string>{}(number));
}

std::string QueueTime(const Call& call) {
  if (!call.Reached(CallStatus::kInitiated)) return "0";
  const auto waited = call.When(CallStatus::kInitiated) - call.created;
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(waited).count());
}

}  // namespace

void AppendCallResource(std::string& out, const Call& call, const std::string& sid,
                        const Directory& directory, const Timing& timing, WallTime now) {
  const std::string& account = directory.Accounts()[call.request.account].sid;
  const std::string base = fmt::format("/{}/Accounts/{}/Calls/{}", kApiVersion, account, sid);
  const bool dialed = call.Reached(CallStatus::kInitiated);
  const bool shown_queued = call.status == CallStatus::kInitiated;
  ObjectWriter writer(out);
  writer.Text("sid", sid);
  writer.Text("account_sid", account);
  writer.Raw("parent_call_sid", "null");
  writer.Text("to", call.to);
  writer.Text("to_formatted", Formatted(call.to));
  writer.Text("from", call.request.from);
  writer.Text("from_formatted", Formatted(call.request.from));
  writer.Text("phone_number_sid", NumberSid(call.request.from));
  writer.Text("status", NameOf(shown_queued ? CallStatus::kQueued : call.status));
  writer.TextOrNull("start_time", dialed ? Rfc2822(call.When(CallStatus::kInitiated)) : "");
  writer.TextOrNull("end_time", call.Final() ? Rfc2822(call.When(call.status)) : "");
  writer.TextOrNull("duration", call.Final() ? std::to_string(Seconds(call)) : "");
  writer.TextOrNull("price", Price(call, timing, now));
  writer.Text("price_unit", kPriceUnit);
  writer.Text("direction", kDirection);
  writer.TextOrNull("answered_by", call.answered_by);
  writer.Text("api_version", kApiVersion);
  writer.TextOrNull("date_created", dialed ? Rfc2822(call.created) : "");
  writer.TextOrNull("date_updated", dialed ? Rfc2822(call.updated) : "");
  for (const char* name : {"forwarded_from", "group_sid", "caller_name", "trunk_sid"}) {
    writer.Raw(name, "null");
  }
  writer.Text("queue_time", QueueTime(call));
  writer.Text("uri", base + ".json");
  writer.Raw("subresource_uris",
             fmt::format(R"({{"events":"{0}/Events.json","notifications":"{0}/Notifications.json",)"
                         R"("recordings":"{0}/Recordings.json"}})",
                         base));
  writer.Close();
}

FormFields CallForm(const Call& call, const std::string& sid, const Directory& directory,
                    CallStatus status) {
  FormFields fields = {{"CallSid", sid},
                       {"AccountSid", directory.Accounts()[call.request.account].sid},
                       {"From", call.request.from},
                       {"To", call.to},
                       {"Caller", call.request.from},
                       {"Called", call.to},
                       {"CallStatus", std::string(NameOf(status))},
                       {"ApiVersion", std::string(kApiVersion)},
                       {"Direction", std::string(kDirection)}};
  for (const char* party : {"From", "To", "Caller", "Called"}) {
    for (const char* place : {"City", "State", "Zip", "Country"}) {
      fields.emplace_back(std::string(party) + place, "");
    }
  }
  const bool live = status == CallStatus::kRinging || status == CallStatus::kInProgress;
  if (live) fields.emplace_back("StirStatus", "B");
  if (!call.answered_by.empty() && !call.request.async_detection) {
    fields.emplace_back("AnsweredBy", call.answered_by);
  }
  return fields;
}

FormFields CallEventForm(const Call& call, const std::string& sid, const Directory& directory,
                         CallEvent event, WallTime at) {
  FormFields fields = CallForm(call, sid, directory, call.status);
  fields.emplace_back("Timestamp", Rfc2822(at));
  fields.emplace_back("CallbackSource", "call-progress-events");
  fields.emplace_back("SequenceNumber", std::to_string(call.callback_count));
  if (event != CallEvent::kCompleted) return fields;
  fields.emplace_back("CallDuration", std::to_string(Seconds(call)));
  fields.emplace_back("SipResponseCode", std::to_string(call.sip));
  if (call.status == CallStatus::kCompleted) {
    fields.emplace_back("Duration", std::to_string(Minutes(call)));
  }
  return fields;
}

}  // namespace tocsin::sim
