// The tables of audit on a real PostgreSQL: a database of its own for each test program, deployed
// by sqitch as in production.
#pragma once

#include <string>

#include "common/postgres/session.h"

namespace tocsin::audit {

// The database's settings. Made when first asked for, dropped when the process ends; throws when
// TOCSIN_POSTGRES_URL is not set or PostgreSQL or sqitch refuses.
postgres::Options AuditDatabase();

// An empty database beside the one TOCSIN_POSTGRES_URL names. It is dropped with *this.
class FreshDatabase {
 public:
  // With audit's schema, or without anything.
  enum class Holds { kSchema, kNothing };
  explicit FreshDatabase(Holds holds);
  ~FreshDatabase();
  FreshDatabase(const FreshDatabase&) = delete;
  FreshDatabase& operator=(const FreshDatabase&) = delete;

  const std::string& url() const { return url_; }

 private:
  std::string name_;
  std::string url_;
};

// Runs sqitch in the migrations' folder; gives its exit code.
int Sqitch(const std::string& words, const std::string& url);

// The one value of the one row.
std::string Ask(const postgres::Options& options, const std::string& sql);

// All tables emptied.
void Clear(const postgres::Options& options);

}  // namespace tocsin::audit
