// Audit's tables on a real PostgreSQL: each test program has its own database, deployed by sqitch
// as in production.
#pragma once

#include <string>

#include "common/postgres/session.h"

namespace tocsin::audit {

// The database of this process. Created by the first call, dropped when the process ends. Throws if
// TOCSIN_POSTGRES_URL is not set, or if PostgreSQL or sqitch fails.
postgres::Options AuditDatabase();

// A database that nothing listens for.
postgres::Options UnreachableDatabase();

// A new database on the server of TOCSIN_POSTGRES_URL, dropped by the destructor.
class FreshDatabase {
 public:
  enum class Content { kSchema, kEmpty };
  explicit FreshDatabase(Content content);
  ~FreshDatabase();
  FreshDatabase(const FreshDatabase&) = delete;
  FreshDatabase& operator=(const FreshDatabase&) = delete;

  const std::string& url() const { return url_; }

 private:
  std::string name_;
  std::string url_;
};

// Runs sqitch in the folder of the migrations; returns its exit code.
int Sqitch(const std::string& arguments, const std::string& url);

// The first value of the first row.
std::string QueryValue(const postgres::Options& options, const std::string& sql);

// Deletes all rows of all tables.
void ClearTables(const postgres::Options& options);

}  // namespace tocsin::audit
