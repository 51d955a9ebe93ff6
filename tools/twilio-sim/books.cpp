#include "tools/twilio-sim/books.h"

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "tools/twilio-sim/json.h"

namespace tocsin::sim {
namespace {

// The last part of the address's path: where Tocsin puts the token of its try.
std::string_view LastPathPart(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const size_t slash = url.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : url.substr(slash + 1);
}

std::string History(const Message& message) {
  std::string json = "[";
  for (size_t i = 0; i < kStatuses; ++i) {
    if (message.reached[i] == 0) continue;
    if (json.size() > 1) json += ',';
    ObjectWriter writer(json);
    writer.Text("status", kStatusNames[i]);
    writer.Number("at_us", message.reached[i]);
    writer.Close();
  }
  return json + ']';
}

std::string Acknowledged(const Message& message) {
  std::string json = "[";
  for (size_t i = 0; i < kStatuses; ++i) {
    if ((message.acknowledged >> i & 1U) == 0) continue;
    if (json.size() > 1) json += ',';
    AppendQuoted(json, kStatusNames[i]);
  }
  return json + ']';
}

}  // namespace

void AppendMessageLine(std::string& out, const State& state, const Message& message) {
  ObjectWriter writer(out);
  writer.Number("number", static_cast<std::int64_t>(message.number));
  writer.Text("sid", state.messages.SidOf(message));
  writer.Number("request", static_cast<std::int64_t>(message.request_number));
  writer.Text("account_sid", state.directory.Accounts()[message.account].sid);
  writer.TextOrNull("messaging_service_sid",
                    message.service ? state.directory.Service(*message.service).sid : "");
  writer.Text("direction", message.Inbound() ? "inbound" : "outbound-api");
  writer.Text("to", message.to);
  writer.TextOrNull("from", message.from);
  writer.Text("body", message.body);
  writer.Text("body_sha256", HexEncode(Sha256(message.body)));
  writer.TextOrNull("status_callback", message.status_callback);
  writer.TextOrNull("token", LastPathPart(message.status_callback));
  writer.Number("validity_period", message.validity.count());
  writer.Number("segments", message.segments);
  writer.Number("created_us", ToUnixMicros(message.created));
  writer.Text("status", NameOf(message.status));
  writer.NumberOrNull("error_code", message.error_code);
  writer.Raw("history", History(message));
  writer.Raw("acknowledged", Acknowledged(message));
  writer.Boolean("redacted", message.redacted);
  writer.Boolean("deleted", message.deleted);
  writer.Close();
  out += '\n';
}

void AppendAttemptLine(std::string& out, const State& state, const Attempt& attempt) {
  const Message* const message = state.messages.Find(attempt.message);
  const bool accepted = attempt.message != 0;
  const std::string& callback =
      message == nullptr ? attempt.status_callback : message->status_callback;
  ObjectWriter writer(out);
  writer.Number("number", static_cast<std::int64_t>(attempt.number));
  writer.Number("at_us", ToUnixMicros(attempt.at));
  writer.Text("verdict", accepted ? "accepted" : attempt.code != 0 ? "refused" : "fault");
  writer.Boolean("accepted", accepted);
  writer.NumberOrNull("code", attempt.code);
  writer.TextOrNull("fault", attempt.fault == FaultKind::kNone ? "" : NameOf(attempt.fault));
  writer.NumberOrNull("message", static_cast<std::int64_t>(attempt.message));
  writer.TextOrNull("sid", message == nullptr ? "" : state.messages.SidOf(*message));
  writer.TextOrNull("to", ScrubUtf8(message == nullptr ? attempt.to : message->to));
  writer.TextOrNull("from", ScrubUtf8(message == nullptr ? attempt.from : message->from));
  writer.TextOrNull("status_callback", ScrubUtf8(callback));
  writer.TextOrNull("token", ScrubUtf8(LastPathPart(callback)));
  writer.Close();
  out += '\n';
}

}  // namespace tocsin::sim
