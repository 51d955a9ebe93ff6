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
  std::string grpc_address;
  size_t writers = 2;            // of the projection, with a connection each
  size_t readers = 4;            // connections that serve reads
  size_t waiting_reads = 1'000;  // requests that may wait for one of them

  static Config Read(config::Reader& reader);
};

}  // namespace tocsin::audit
