#include "common/redis/unreconciled_attempt_store.h"

#include <string>
#include <string_view>
#include <utility>

#include "common/domain/delivery/in_doubt.h"

namespace tocsin::redis {
namespace {

// The reply of due_unreconciled.lua.
constexpr std::size_t kHeaderItems = 3;
constexpr std::size_t kItemsPerAttempt = 7;

bool Parse(google::protobuf::Message& message, std::string_view bytes) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

Task<Result<DueAttempts>> UnreconciledAttemptStore::FindDue(v1::Channel channel, WallTime now,
                                                            std::size_t max) {
  ScriptCall call{.script = DueUnreconciledScript(),
                  .keys = {client_.keys().Unreconciled(channel), client_.keys().Unpriced(channel)},
                  .args = {std::to_string(ToUnixMicros(now)), std::to_string(max),
                           client_.keys().AlertPrefix()}};
  TOCSIN_CO_TRY(const Reply reply, co_await client_.Run(std::move(call)));
  DueAttempts attempts{.total = static_cast<std::size_t>(reply.Number(2)), .due = {}};
  for (std::size_t i = kHeaderItems; i + kItemsPerAttempt <= reply.items.size();
       i += kItemsPerAttempt) {
    UnreconciledAttempt attempt{.name = ParseAttemptName(reply.Text(i)),
                                .client_id = std::string(reply.Text(i + 1)),
                                .result = {},
                                .ended = reply.Text(i + 3) == "1",
                                .priced = reply.Text(i + 4) == "1",
                                .holds_sid = reply.Text(i + 5) != "1",
                                .work = {}};
    // Without a SID there is no lookup: the attempt ends as SENT_UNCONFIRMED.
    if (!Parse(attempt.result, reply.Text(i + 2))) attempt.result.Clear();
    records::v1::WorkRecord work;
    if (!reply.Text(i + 6).empty() && Parse(work, reply.Text(i + 6)))
      attempt.work = std::move(work);
    attempts.due.push_back(std::move(attempt));
  }
  co_return attempts;
}

Task<Status> UnreconciledAttemptStore::SaveLookup(v1::Channel channel,
                                                  const v1::AttemptRef& attempt,
                                                  const Reconciled& found) {
  const std::string next =
      found.next_time ? std::to_string(ToUnixMicros(*found.next_time)) : std::string();
  records::v1::AttemptResult result;
  if (found.callback) result = ProvenByCallback(*found.callback);
  ScriptCall call{.script = NoteReconciledScript(),
                  .keys = {client_.keys().Alert(attempt.alert_id()),
                           client_.keys().Unreconciled(channel), client_.keys().Unpriced(channel)},
                  .args = {FieldPrefix(attempt), AttemptName(attempt),
                           EndText(found.ended, result.status() == v1::ATTEMPT_STATUS_DELIVERED),
                           FlagText(found.priced), next, ReachText(result)}};
  TOCSIN_CO_CHECK_OK(co_await client_.Run(std::move(call)));
  co_return Status();
}

}  // namespace tocsin::redis
