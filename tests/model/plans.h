// Random plans. Requests are drawn; the ingress's own code makes the work records from them.
#pragma once

#include <string>
#include <vector>

#include "common/domain/registry/registry.h"
#include "common/ports/vault.h"
#include "tests/model/timeline.h"
#include "tocsin/records/v1/records.pb.h"
#include "tocsin/v1/alert_service.pb.h"

namespace tocsin::model {

// The persons of plans. One of them may be in several steps and targets, on each channel.
inline const std::vector<std::string> kPersons{"p0", "p1", "p2", "p3"};

// A request with 1 to 4 steps of 1 to 3 targets and a goal; its deadline is within the expire time.
v1::EnqueueRequest DrawPlannedAlert(Dice& dice, const std::vector<v1::Channel>& channels,
                                    WallTime now);

// The record that accepts the alert.
records::v1::WorkRecord FirstWorkOf(const v1::EnqueueRequest& request, const std::string& alert_id,
                                    std::int32_t max_attempts, const RegistrySnapshot& registry,
                                    Vault& vault, WallTime now);

}  // namespace tocsin::model
