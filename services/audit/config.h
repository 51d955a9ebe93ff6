// Settings of tocsin-audit.
#pragma once

#include <string>

#include "common/config/reader.h"
#include "common/postgres/session.h"
#include "common/service/settings.h"

namespace tocsin::audit {

struct Config {
  service::BaseSettings base;
  postgres::Options postgres;
  std::string grpc_address;      // StatusService, AuditService, AdminService
  size_t readers = 4;            // connections that serve reading calls
  size_t waiting_reads = 1'000;  // calls that may wait for one of them

  static Config Read(config::Reader& reader);
};

}  // namespace tocsin::audit
