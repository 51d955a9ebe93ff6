#include "services/audit/query/alert_filter.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "common/base/digest.h"
#include "common/base/uuid.h"
#include "services/audit/projection/record_decoder.h"
#include "services/audit/query/page_token.h"

namespace tocsin::audit {
namespace {

constexpr size_t kTimeBytes = 8;     // create time, big endian
constexpr size_t kCursorBytes = 24;  // time and id (16)

std::string CursorBytes(const AlertFilter::Cursor& cursor) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<std::uint64_t>(cursor.create_time_us) >> shift);
  return bytes + UuidToBytes(cursor.alert_id).value_or(std::string(16, '\0'));
}

AlertFilter::Cursor ParseCursor(std::string_view bytes) {
  std::uint64_t micros = 0;
  for (const char c : bytes.substr(0, kTimeBytes))
    micros = micros << 8 | static_cast<unsigned char>(c);
  return {static_cast<std::int64_t>(micros), UuidFromBytes(bytes.substr(kTimeBytes))};
}

// The same for every page of a list.
std::string TokenScope(const v1::ListAlertsRequest& request, const std::string& client_id) {
  v1::ListAlertsRequest filter = request;
  filter.clear_page_size();
  filter.clear_page_token();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // labels are a map
    filter.SerializeToCodedStream(&coded);
  }
  return "ListAlerts " + client_id + ' ' + Sha256(bytes);
}

Result<std::int64_t> ParseTime(const google::protobuf::Timestamp& time, const char* field) {
  constexpr std::int64_t kLastSecond = 253'402'300'799;  // of the year 9999
  if (time.seconds() < 0 || time.seconds() > kLastSecond || time.nanos() < 0 ||
      time.nanos() > 999'999'999)
    return Fail(ErrorCode::kInvalidArgument, "must be between 1970 and 9999", field);
  return time.seconds() * 1'000'000 + time.nanos() / 1'000;
}

Status ParseTimes(const v1::ListAlertsRequest& request, AlertFilter& filter) {
  if (request.has_min_create_time()) {
    TOCSIN_TRY(filter.create_time.min, ParseTime(request.min_create_time(), "min_create_time"));
  }
  if (request.has_max_create_time()) {
    TOCSIN_TRY(filter.create_time.max, ParseTime(request.max_create_time(), "max_create_time"));
  }
  if (request.has_min_expire_time()) {
    TOCSIN_TRY(filter.expire_time.min, ParseTime(request.min_expire_time(), "min_expire_time"));
  }
  if (request.has_max_expire_time()) {
    TOCSIN_TRY(filter.expire_time.max, ParseTime(request.max_expire_time(), "max_expire_time"));
  }
  return {};
}

template <typename Valid>
Result<std::set<int>> ParseEnums(const google::protobuf::RepeatedField<int>& given, Valid valid,
                                 const char* field) {
  std::set<int> values;
  for (const int value : given) {
    if (value == 0 || !valid(value))
      return Fail(ErrorCode::kInvalidArgument, "unknown value", field);
    values.insert(value);
  }
  return values;
}

}  // namespace

Result<int> ParsePageSize(std::int32_t page_size) {
  if (page_size < 0) return Fail(ErrorCode::kInvalidArgument, "must not be negative", "page_size");
  return page_size == 0 ? kDefaultPageSize : std::min<int>(page_size, kMaxPageSize);
}

Result<AlertFilter> ParseListAlerts(const v1::ListAlertsRequest& request,
                                    const std::string& client_id, Vault& vault) {
  AlertFilter filter;
  filter.client_id = client_id;
  TOCSIN_TRY(filter.page_size, ParsePageSize(request.page_size()));
  TOCSIN_TRY(filter.states, ParseEnums(request.states(), v1::AlertState_IsValid, "states"));
  TOCSIN_TRY(filter.priorities,
             ParseEnums(request.priorities(), v1::Priority_IsValid, "priorities"));
  if (!v1::Channel_IsValid(request.channel()))
    return Fail(ErrorCode::kInvalidArgument, "unknown value", "channel");
  filter.channel = request.channel();
  if (request.labels_size() > kMaxLabelFilters)
    return Fail(ErrorCode::kTooManyItems, "more than 16 labels", "labels");
  if (request.labels_size() > 0) filter.labels_json = LabelsJson(request.labels());
  TOCSIN_CHECK_OK(ParseTimes(request, filter));
  if (!request.recipient_phone_number().empty()) {
    auto phone = Phone::Parse(request.recipient_phone_number());
    if (!phone) return Fail(phone.error().code, phone.error().message, "recipient_phone_number");
    filter.token = vault.MakeRecipientRef(*phone).token();
  }
  filter.token_scope = TokenScope(request, client_id);
  if (!request.page_token().empty()) {
    TOCSIN_TRY(const std::string cursor,
               OpenPageToken(vault, filter.token_scope, request.page_token()));
    if (cursor.size() != kCursorBytes) return Fail(InvalidPageToken());
    filter.after = ParseCursor(cursor);
  }
  return filter;
}

std::string MakeNextPageToken(const AlertFilter& filter, const AlertFilter::Cursor& last,
                              Vault& vault) {
  return MakePageToken(vault, filter.token_scope, CursorBytes(last));
}

}  // namespace tocsin::audit
