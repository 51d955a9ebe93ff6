#include "tools/twilio-sim/messages/message_resource.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "tools/twilio-sim/api/api_errors.h"
#include "tools/twilio-sim/api/api_response.h"
#include "tools/twilio-sim/json_writer.h"

namespace tocsin::sim {
namespace {

// Known some time after the message was sent; empty before and if it was never sent.
std::string Price(const Message& message, const Timing& timing, WallTime now) {
  const Status sent = message.Inbound() ? Status::kReceived : Status::kSent;
  if (!message.Reached(sent) || now < message.When(sent) + timing.billed) return "";
  return fmt::format("-{:.5f}", kPricePerSegment * message.segments);
}

std::string_view ServiceSid(const Message& message, const Directory& directory) {
  return message.service ? std::string_view(directory.Service(*message.service).sid)
                         : std::string_view();
}

std::string DateSent(const Message& message) {
  if (message.Inbound()) return Rfc2822(message.created);
  return message.Reached(Status::kSent) ? Rfc2822(message.When(Status::kSent)) : "";
}

}  // namespace

void AppendResource(std::string& out, const Message& message, const std::string& sid,
                    const Directory& directory, const Timing& timing, WallTime now) {
  const std::string& account = directory.Accounts()[message.account].sid;
  const std::string base = fmt::format("/{}/Accounts/{}/Messages/{}", kApiVersion, account, sid);
  ObjectWriter writer(out);
  writer.Text("sid", sid);
  writer.Text("account_sid", account);
  writer.TextOrNull("messaging_service_sid", ServiceSid(message, directory));
  writer.Text("to", message.to);
  writer.TextOrNull("from", message.from);
  writer.Text("body", message.redacted ? "" : message.body);
  writer.Text("status", NameOf(message.status));
  writer.Text("direction", message.Inbound() ? "inbound" : "outbound-api");
  writer.Text("num_segments", message.from.empty() ? "0" : std::to_string(message.segments));
  writer.Text("num_media", std::to_string(message.media));
  writer.TextOrNull("price", Price(message, timing, now));
  writer.Text("price_unit", kPriceUnit);
  writer.NumberOrNull("error_code", message.error_code);
  writer.TextOrNull("error_message",
                    message.error_code == 0 ? "" : ErrorOf(message.error_code).message);
  writer.Text("api_version", kApiVersion);
  writer.Text("date_created", Rfc2822(message.created));
  writer.Text("date_updated", Rfc2822(message.updated));
  writer.TextOrNull("date_sent", DateSent(message));
  writer.Text("uri", base + ".json");
  writer.Raw("subresource_uris",
             fmt::format(R"({{"media":"{0}/Media.json","feedback":"{0}/Feedback.json"}})", base));
  writer.Close();
}

FormFields StatusForm(const Message& message, const std::string& sid, const Directory& directory,
                      Status status) {
  const std::string name(NameOf(status));
  FormFields fields = {{"MessageSid", sid},
                       {"MessageStatus", name},
                       {"SmsSid", sid},
                       {"SmsStatus", name},
                       {"AccountSid", directory.Accounts()[message.account].sid},
                       {"From", message.from},
                       {"To", message.to},
                       {"ApiVersion", std::string(kApiVersion)}};
  if (message.service) {
    fields.emplace_back("MessagingServiceSid", directory.Service(*message.service).sid);
  }
  const bool failed = status == Status::kFailed || status == Status::kUndelivered;
  if (failed && message.outcome.error_code != 0) {
    fields.emplace_back("ErrorCode", std::to_string(message.outcome.error_code));
    fields.emplace_back("ErrorMessage", ErrorOf(message.outcome.error_code).message);
  }
  if (status == Status::kDelivered || status == Status::kUndelivered) {
    const auto when = std::chrono::floor<std::chrono::seconds>(message.When(status));
    fields.emplace_back("RawDlrDoneDate",
                        fmt::format("{:%y%m%d%H%M}", fmt::gmtime(when.time_since_epoch().count())));
  }
  return fields;
}

FormFields InboundForm(const Message& message, const std::string& sid, const Directory& directory,
                       const std::string& opt_out_type) {
  FormFields fields = {{"ToCountry", ""},
                       {"ToState", ""},
                       {"SmsMessageSid", sid},
                       {"NumMedia", "0"},
                       {"ToCity", ""},
                       {"FromZip", ""},
                       {"SmsSid", sid},
                       {"FromState", ""},
                       {"SmsStatus", "received"},
                       {"FromCity", ""},
                       {"Body", message.body},
                       {"FromCountry", ""},
                       {"To", message.to},
                       {"ToZip", ""},
                       {"NumSegments", std::to_string(message.segments)},
                       {"MessageSid", sid},
                       {"AccountSid", directory.Accounts()[message.account].sid},
                       {"From", message.from},
                       {"ApiVersion", std::string(kApiVersion)}};
  if (message.service) {
    fields.emplace_back("MessagingServiceSid", directory.Service(*message.service).sid);
  }
  if (!opt_out_type.empty()) fields.emplace_back("OptOutType", opt_out_type);
  return fields;
}

}  // namespace tocsin::sim
