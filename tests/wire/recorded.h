// What the programs of the version before wrote: recorded.json and descriptors.binpb (README.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/crypto/vault.h"
#include "common/ports/record_log.h"
#include "tocsin/v1/alert_service.pb.h"
#include "tocsin/v1/status_service.pb.h"

namespace tocsin::wire {

struct RecordedAlert {
  v1::EnqueueRequest request;
  std::string alert_id;
  v1::Alert alert;  // as tocsin-audit of that version returned it at the end
};

struct RecordedRecord {
  IncomingRecord record;  // offsets are those of this list
  std::string schema;
  std::string text;  // the value in protobuf's text format, by the descriptors of that version
};

struct Recorded {
  std::string client_id;
  std::string keyring;  // content of the file
  std::vector<RecordedAlert> alerts;
  std::vector<std::string> tokens;  // in callback URLs
  std::vector<RecordedRecord> records;
  std::map<std::string, std::string> redis;  // key -> value as from DUMP

  crypto::KeyringVault Vault() const;
};

// Aborts the test program if a file is missing or malformed.
const Recorded& ReadRecorded();

// The content of descriptors.binpb, a google.protobuf.FileDescriptorSet.
std::string ReadDescriptors();

}  // namespace tocsin::wire
