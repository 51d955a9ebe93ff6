// The first work record of an alert.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/ports/vault.h"
#include "services/ingress/acceptance/request.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::ingress {

// An alert that is being accepted.
struct NewAlert {
  std::string alert_id;
  std::string client_id;
  CheckedRequest request;
  google::protobuf::Map<std::string, std::string> labels;
  v1::InDoubtPolicy in_doubt_policy;
  WallTime create_time;
  std::string idempotency_digest = {};  // this and the next two are empty without a key
  std::string request_digest = {};
  std::string nonce = {};
  std::int32_t max_attempts;
};

// Attempt 1 of step 1, with its acceptance and sealed content, and link and code in its text if it
// has their placeholders. Fails as Vault::Seal() does.
Result<records::v1::WorkRecord> FirstWork(const NewAlert& alert, Vault& vault,
                                          std::string_view public_base_url);

}  // namespace tocsin::ingress
