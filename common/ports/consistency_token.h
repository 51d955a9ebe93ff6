// The consistency token of EnqueueResponse: opaque to clients, the position of a record to us.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin {

std::string MakeConsistencyToken(const records::v1::Position& position);

// Fails with kInvalidArgument naming `field` unless `bytes` is the token of a well-formed position:
// a topic of 1 to 249 characters, partition and offset not negative. Whether the topic exists is
// for the caller to check.
Result<records::v1::Position> ParseConsistencyToken(std::string_view bytes, std::string_view field);

// The error for `field` of the function above.
Error InvalidConsistencyToken(std::string_view field);

}  // namespace tocsin
