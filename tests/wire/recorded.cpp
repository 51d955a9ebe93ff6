#include "tests/wire/recorded.h"

#include <google/protobuf/text_format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "common/base/encoding.h"
#include "tests/common/crypto/keyring_file.h"

namespace tocsin::wire {
namespace {

std::string ReadFile(const std::string& name) {
  std::ifstream file(TOCSIN_WIRE "/" + name, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Decoded(const nlohmann::json& text) {
  const auto bytes = Base64Decode(text.get<std::string>());
  if (!bytes) throw std::runtime_error("not Base64");
  return *bytes;
}

RecordedAlert AlertOf(const nlohmann::json& row) {
  RecordedAlert alert;
  alert.alert_id = row.at("alert_id");
  if (!alert.request.ParseFromString(Decoded(row.at("request"))) ||
      !google::protobuf::TextFormat::ParseFromString(row.at("alert").get<std::string>(),
                                                     &alert.alert))
    throw std::runtime_error("alert " + alert.alert_id + " does not parse");
  return alert;
}

RecordedRecord RecordOf(const nlohmann::json& row, std::int64_t offset) {
  RecordedRecord recorded;
  IncomingRecord& record = recorded.record;
  record.position.set_topic(row.at("topic"));
  record.position.set_offset(offset);
  record.key = row.at("key");
  record.value = Decoded(row.at("value"));
  for (const auto& [name, value] : row.at("headers").items())
    record.headers.emplace_back(name, value);
  recorded.schema = row.at("headers").at("schema");
  recorded.text = row.at("text");
  return recorded;
}

Recorded Read() {
  const auto json = nlohmann::json::parse(ReadFile("recorded.json"));
  Recorded recorded;
  recorded.client_id = json.at("client_id");
  recorded.keyring = json.at("keyring");
  for (const auto& row : json.at("alerts")) recorded.alerts.push_back(AlertOf(row));
  for (const auto& token : json.at("tokens")) recorded.tokens.push_back(token);
  for (const auto& row : json.at("records"))
    recorded.records.push_back(RecordOf(row, static_cast<std::int64_t>(recorded.records.size())));
  for (const auto& [key, value] : json.at("redis").items())
    recorded.redis[Decoded(key)] = Decoded(value);
  return recorded;
}

}  // namespace

crypto::KeyringVault Recorded::Vault() const {
  const crypto::TemporaryFolder folder;
  crypto::WriteFile(folder.File("keyring"), keyring);
  return crypto::KeyringVault(crypto::Keyring::Load(folder.File("keyring")).value());
}

const Recorded& ReadRecorded() {
  static const Recorded recorded = Read();
  return recorded;
}

std::string ReadDescriptors() { return ReadFile("descriptors.binpb"); }

}  // namespace tocsin::wire
