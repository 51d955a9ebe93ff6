// Seals and opens the content of work records: recipient and text. The only place that knows what
// the sealed content is bound to.
#pragma once

#include "common/base/result.h"
#include "common/ports/vault.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

// Sets `content` and `key` of `work`: `content` sealed under a new data key and bound to the
// client_id, alert_id and step of `work`, which must be set. Fails as Vault::Seal() does; `work` is
// then unchanged.
Status SealContent(Vault& vault, const records::v1::Content& content,
                   records::v1::WorkRecord& work);

// The content that SealContent() sealed. PII. kDataCorrupted if the sealed value was changed, was
// moved to another alert or step, or does not parse; otherwise fails as Vault::Open() does.
Result<records::v1::Content> OpenContent(Vault& vault, const records::v1::WorkRecord& work);

}  // namespace tocsin
