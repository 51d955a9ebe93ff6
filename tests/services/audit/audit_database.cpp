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

// Sessions are transactions, and CREATE DATABASE refuses to run in one: psql sends it.
void Shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

std::string Psql(const std::string& sql) {
  return "psql -q -v ON_ERROR_STOP=1 '" + ServerUrl() + "' -c '" + sql + "' > /dev/null 2>&1";
}

}  // namespace

FreshDatabase::FreshDatabase(Holds holds)
    : name_((holds == Holds::kSchema ? "tocsin_schema_" : "tocsin_empty_") +
            std::to_string(getpid())) {
  const std::string server = ServerUrl();
  if (holds == Holds::kSchema)
    Shell(TOCSIN_AUDIT_TESTS "/make_database.sh '" + server + "' " + name_ +
          " '" TOCSIN_MIGRATIONS "' > /dev/null 2>&1");
  else
    Shell(Psql("CREATE DATABASE " + name_));
  const size_t query = server.find('?');
  const std::string tail = query == std::string::npos ? "" : server.substr(query);
  const std::string head = server.substr(0, query);
  url_ = head.substr(0, head.rfind('/') + 1) + name_ + tail;
}

FreshDatabase::~FreshDatabase() {
  if (std::system(Psql("DROP DATABASE " + name_ + " WITH (FORCE)").c_str()) != 0)
    std::fprintf(stderr, "database %s is left behind\n", name_.c_str());
}

int Sqitch(const std::string& words, const std::string& url) {
  const std::string target = "db:pg" + url.substr(url.find("://"));
  return std::system(
      ("cd '" TOCSIN_MIGRATIONS "' && sqitch " + words + " '" + target + "' > /dev/null 2>&1")
          .c_str());
}

postgres::Options AuditDatabase() {
  static const FreshDatabase database(FreshDatabase::Holds::kSchema);
  return At(database.url());
}

std::string Ask(const postgres::Options& options, const std::string& sql) {
  postgres::Session session(options);
  std::string answer = "failed";
  const Status asked = session.Run([&](postgres::Transaction& transaction) -> Status {
    TOCSIN_TRY(const postgres::Rows rows, transaction.Query(sql));
    answer = rows.size() == 0 ? "" : std::string(rows.Text(0, 0));
    return {};
  });
  if (!asked) ADD_FAILURE() << asked.error().message;
  return answer;
}

void Clear(const postgres::Options& options) {
  Ask(options,
      "TRUNCATE tocsin.alerts, tocsin.tries, tocsin.facts, tocsin.webhooks, tocsin.orphans,"
      " tocsin.wrapped_keys, tocsin.positions, tocsin.unparsed,"
      " tocsin.dead_letters");
}

}  // namespace tocsin::audit
