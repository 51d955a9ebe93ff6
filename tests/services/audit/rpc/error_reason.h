// What the error of a gRPC response states.
#pragma once

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/support/status.h>

#include <string>

namespace tocsin::audit {

// "OK", or the reason of google.rpc.ErrorInfo, followed by a colon and the field of
// google.rpc.BadRequest if there is one.
inline std::string ReasonOf(const grpc::Status& status) {
  if (status.ok()) return "OK";
  google::rpc::Status rich;
  std::string reason = "no details";
  std::string field;
  if (!rich.ParseFromString(status.error_details())) return reason;
  for (const auto& any : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&info)) reason = info.reason();
    if (any.UnpackTo(&bad) && bad.field_violations_size() > 0)
      field = ":" + bad.field_violations(0).field();
  }
  return reason + field;
}

// Whether google.rpc.RetryInfo is among the details.
inline bool HasRetryInfo(const grpc::Status& status) {
  google::rpc::Status rich;
  google::rpc::RetryInfo retry;
  if (!rich.ParseFromString(status.error_details())) return false;
  for (const auto& any : rich.details())
    if (any.UnpackTo(&retry)) return true;
  return false;
}

}  // namespace tocsin::audit
