#include "tests/services/audit/audit_database.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace tocsin::audit {
namespace {

std::string ServerUrl() {
  const char* url = std::getenv("TOCSIN_POSTGRES_URL");
  if (url == nullptr || *url == '\0')
    throw std::runtime_error("TOCSIN_POSTGRES_URL is not set: start the stores with scripts/up");
  return url;
}

postgres::Options At(std::string url) {
  return {.url = Secret(std::move(url)), .application = "audit_test"};
}

// CREATE DATABASE cannot run in a transaction, and sessions have nothing else: psql sends it.
void RunShell(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

std::string Psql(const std::string& sql) {
  return "psql -q -v ON_ERROR_STOP=1 '" + ServerUrl() + "' -c '" + sql + "' > /dev/null 2>&1";
}

}  // namespace

FreshDatabase::FreshDatabase(Content content)
    : name_((content == Content::kSchema ? "tocsin_schema_" : "tocsin_empty_") +
            std::to_string(getpid())) {
  const std::string server = ServerUrl();
  if (content == Content::kSchema)
    RunShell(TOCSIN_AUDIT_TESTS "/make_database.sh '" + server + "' " + name_ +
             " '" TOCSIN_MIGRATIONS "' > /dev/null 2>&1");
  else
    RunShell(Psql("CREATE DATABASE " + name_));
  const size_t query = server.find('?');
  const std::string tail = query == std::string::npos ? "" : server.substr(query);
  const std::string head = server.substr(0, query);
  url_ = head.substr(0, head.rfind('/') + 1) + name_ + tail;
}

FreshDatabase::~FreshDatabase() {
  if (std::system(Psql("DROP DATABASE " + name_ + " WITH (FORCE)").c_str()) != 0)
    std::fprintf(stderr, "database %s was not dropped\n", name_.c_str());
}

int Sqitch(const std::string& arguments, const std::string& url) {
  const std::string target = "db:pg" + url.substr(url.find("://"));
  return std::system(
      ("cd '" TOCSIN_MIGRATIONS "' && sqitch " + arguments + " '" + target + "' > /dev/null 2>&1")
          .c_str());
}

postgres::Options AuditDatabase() {
  static const FreshDatabase database(FreshDatabase::Content::kSchema);
  return At(database.url());
}

postgres::Options UnreachableDatabase() { return At("postgresql://nobody@127.0.0.1:1/none"); }

std::string QueryValue(const postgres::Options& options, const std::string& sql) {
  postgres::Session session(options);
  std::string value = "failed";
  const Status done = session.Run([&](postgres::Transaction& transaction) -> Status {
    TOCSIN_TRY(const postgres::Rows rows, transaction.Query(sql));
    value = rows.size() == 0 ? "" : std::string(rows.Text(0, 0));
    return {};
  });
  if (!done) ADD_FAILURE() << done.error().message;
  return value;
}

void ClearTables(const postgres::Options& options) {
  QueryValue(options,
             "TRUNCATE tocsin.alerts, tocsin.attempts, tocsin.alert_events, tocsin.webhooks,"
             " tocsin.unmatched_callbacks, tocsin.wrapped_keys, tocsin.positions, tocsin.unparsed,"
             " tocsin.dead_letters");
}

}  // namespace tocsin::audit
