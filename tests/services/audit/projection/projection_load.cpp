// Measures how many records per second are projected into PostgreSQL, and how much CPU time each
// takes: the log of many alerts with their acceptance, three events and a callback each, read as
// the consumers of tocsin-audit read a backlog. Prints; fails only if a batch is refused or an
// alert is not delivered in the end.
//
//   audit_projection_load [RECORDS [WRITERS [BATCH [STORED]]]]
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "common/base/digest.h"
#include "common/base/encoding.h"
#include "services/audit/projection/projection.h"
#include "tests/services/audit/audit_database.h"
#include "tests/services/audit/record_builder.h"

namespace tocsin::audit {
namespace {

constexpr int kRecordsPerAlert = 5;
constexpr int kAlertsPerMs = 5;
constexpr size_t kFetched = 500;  // records of a partition in a fetch response

struct Arguments {
  int alerts = 0;
  size_t writers = 0;
  size_t batch = 0;
  std::int64_t stored = 0;  // alerts that exist before
};

// --- The log
// --------------------------------------------------------------------------------------

using Partition = std::deque<IncomingRecord>;
using Log = std::map<PartitionKey, Partition>;

std::string Random(std::mt19937_64& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::int64_t CreateTimeUs(int number) { return kCreateTimeUs + number * 1'000 / kAlertsPerMs; }

// See KeyringVault::Seal().
std::string DekId(std::mt19937_64& random, int number) {
  std::string id = Random(random, 16);
  for (size_t i = 0; i < 6; ++i)
    id[i] = static_cast<char>(CreateTimeUs(number) / 1'000 >> (40 - 8 * i));
  return id;
}

// What differs between alerts, as in production: recipients, data keys, times.
void SetOwnValues(std::mt19937_64& random, int number, IncomingRecord& accepted) {
  records::v1::WorkRecord work;
  work.ParseFromString(accepted.value);
  work.mutable_recipient()->set_token(Sha256(std::to_string(random() % 100'000)));
  work.mutable_key()->set_dek_id(DekId(random, number));
  work.set_create_time_us(CreateTimeUs(number));
  work.clear_labels();
  accepted.value = work.SerializeAsString();
}
void SetOwnValuesOfCallback(std::mt19937_64& random, int number, IncomingRecord& callback) {
  records::v1::WebhookRecord webhook;
  webhook.ParseFromString(callback.value);
  webhook.mutable_key()->set_dek_id(DekId(random, number));
  callback.value = webhook.SerializeAsString();
}

// The lanes and webhooks of an alert may be in any partition, its events are in one.
Log MakeLog(int alerts) {
  Log log;
  RecordBuilder build;
  std::mt19937_64 random(1);
  const auto add = [&log](IncomingRecord record, std::uint64_t number) {
    const auto partition = static_cast<std::int32_t>(number % kLanePartitions);
    Partition& records = log[{record.position.topic(), partition}];
    record.position.set_partition(partition);
    record.position.set_offset(static_cast<std::int64_t>(records.size()));
    records.push_back(std::move(record));
  };
  for (int i = 0; i < alerts; ++i) {
    const std::string id =
        MakeUuidV7(std::chrono::sys_time<std::chrono::milliseconds>(
                       std::chrono::milliseconds(kCreateTimeUs / 1'000 + i / kAlertsPerMs)),
                   Random(random, 10));
    const std::string sid = "SM" + HexEncode(Random(random, 16));
    const std::uint64_t key = random();
    IncomingRecord accepted = build.Accepted(id);
    SetOwnValues(random, i, accepted);
    add(std::move(accepted), random());
    add(build.Changed(id, v1::ATTEMPT_STATUS_QUEUED, 0), key);
    add(build.Changed(id, v1::ATTEMPT_STATUS_SENDING, 1), key);
    add(build.Changed(id, v1::ATTEMPT_STATUS_SENT, 2, sid), key);
    IncomingRecord callback = build.Callback(id, sid, "delivered", 3);
    SetOwnValuesOfCallback(random, i, callback);
    add(std::move(callback), random());
  }
  return log;
}

// The next batch of a writer: a fetch response of each of its partitions after the other.
std::vector<IncomingRecord> TakeBatch(std::vector<Partition*>& partitions, size_t size) {
  std::vector<IncomingRecord> batch;
  while (batch.size() < size && !partitions.empty()) {
    Partition* const first = partitions.front();
    partitions.erase(partitions.begin());
    for (size_t i = 0; i < kFetched && batch.size() < size && !first->empty(); ++i) {
      batch.push_back(std::move(first->front()));
      first->pop_front();
    }
    if (!first->empty()) partitions.push_back(first);
  }
  return batch;
}

// --- What it costs
// --------------------------------------------------------------------------------

using Seconds = std::chrono::duration<double>;

Seconds OwnCpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return Seconds(static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

// The fields of /proc/PID/stat behind the name: the first is the state.
std::vector<std::string> StatOf(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  const size_t end = stat.rfind(')');
  std::vector<std::string> fields;
  if (end == std::string::npos) return fields;
  std::istringstream rest(stat.substr(end + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

// Of all processes of the server, if it runs on this machine.
Seconds ServerCpu(const std::string& backend) {
  constexpr size_t kParent = 1;
  constexpr size_t kFirstTime = 11;  // user and system; of ended children too
  const std::vector<std::string> own = StatOf(backend);
  if (own.size() <= kParent) return Seconds(0);
  const std::string& postmaster = own[kParent];
  long ticks = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::vector<std::string> stat = StatOf(entry.path().filename());
    if (stat.size() < kFirstTime + 4) continue;
    const bool is_postmaster = entry.path().filename() == postmaster;
    if (!is_postmaster && stat[kParent] != postmaster) continue;
    for (size_t i = 0; i < (is_postmaster ? 4U : 2U); ++i) ticks += std::stol(stat[kFirstTime + i]);
  }
  return Seconds(static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

// --- The run
// --------------------------------------------------------------------------------------

// Alerts of the 90 days before, with an attempt, three events, a webhook and two keys each.
const std::vector<std::string> kFill{
    R"(SELECT tocsin.ensure_month((to_timestamp(START / 1000000) - make_interval(months => n))::date)
         FROM generate_series(-1, 3) AS n)",
    R"(CREATE TABLE tocsin.seed AS
       SELECT i, t, (lpad(to_hex(t / 1000), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid AS id
         FROM (SELECT i, md5(i::text) AS h, (START - 7776000000000 + i * (7776000000000 / ROWS)) AS t
                 FROM generate_series(0, ROWS - 1) AS i) AS s)",
    R"(INSERT INTO tocsin.alerts (alert_id, client_id, priority, channel, state, token, token_version, last_four,
                                  region_code, create_time_us, expire_time_us, update_time_us, end_time_us, outcome)
       SELECT id, 'hospital', 2, 1, 4, sha256((i % 100000)::text::bytea), 1, '0123', 'CA', t, t + 60000000, t + 2000000,
              t + 2000000, 4 FROM tocsin.seed)",
    R"(INSERT INTO tocsin.attempts (alert_id, step, attempt, status, provider_sid, start_time_us, update_time_us)
       SELECT id, 1, 1, 8, 'SM' || md5('s' || i), t, t FROM tocsin.seed)",
    R"(INSERT INTO tocsin.alert_events (alert_id, event_id, kind, step, attempt, event_time_us, status, reason, provider_code,
                                        error_class, provider_sid, sender_id, segment_count, next_attempt, last, note,
                                        acknowledgement_method, actor_id, cancel_outcome, webhook_kind, provider_status,
                                        answered_by, duration_seconds, currency_code)
       SELECT id, md5(n || 'e' || i)::uuid, 1, 1, 1, t, 8, '', 0, 0, 'SM' || md5('s' || i), 'main', 1, 0, false, '', 0, '',
              0, 0, '', 0, 0, '' FROM tocsin.seed, generate_series(1, 3) AS n)",
    R"(INSERT INTO tocsin.webhooks (partition_key, webhook_id, kind, receive_time_us, step, attempt, provider_sid,
                                    account_sid, provider_status, status, provider_code, sequence_number, signed_by,
                                    last_four, region_code, answered_by, duration_seconds, segment_count, opt_out_type,
                                    dek_id, sealed_schema, nonce, raw_body)
       SELECT id, md5('w' || i)::uuid, 1, t, 1, 1, 'SM' || md5('s' || i), 'AC1', 'delivered', 8, 0, -1, 1, '', '', 0, -1, 0,
              '', decode(md5('d' || i), 'hex'), 1, '\x00', '\x00' FROM tocsin.seed)",
    R"(INSERT INTO tocsin.wrapped_keys (dek_id, token, kek_alias, kek_version, wrapped)
       SELECT decode(lpad(to_hex(t / 1000), 12, '0') || substr(md5(n || 'k' || i), 1, 20), 'hex'),
              CASE WHEN n = 1 THEN sha256((i % 100000)::text::bytea) END, 'local', 1, decode(repeat('00', 60), 'hex')
         FROM tocsin.seed, generate_series(1, 2) AS n)",
    "DROP TABLE tocsin.seed",
    "ANALYZE"};  // otherwise the server does it later

std::string Replaced(std::string text, const std::string& name, std::int64_t value) {
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name))
    text.replace(at, name.size(), std::to_string(value));
  return text;
}

Status Fill(const postgres::Options& database, std::int64_t rows) {
  for (const std::string& sql : kFill)
    QueryValue(database, Replaced(Replaced(sql, "ROWS", rows), "START", kCreateTimeUs));
  const std::string filled = QueryValue(database, "SELECT count(*) FROM tocsin.alerts");
  if (filled == std::to_string(rows)) return {};
  return Fail(ErrorCode::kInternal, filled + " alerts are stored");
}

struct Writer {
  std::unique_ptr<Projection> projection;
  std::vector<std::vector<IncomingRecord>> batches;
  Status result;
};

std::deque<Writer> MakeWriters(const Arguments& arguments, const postgres::Options& database,
                               Log& log) {
  std::deque<Writer> writers;
  for (size_t i = 0; i < arguments.writers; ++i) {
    Writer& writer = writers.emplace_back();
    writer.projection = std::make_unique<Projection>(database, "load", ProjectedTopics(Topics()));
    std::vector<Partition*> partitions;
    for (auto& [partition, records] : log)
      if (static_cast<size_t>(partition.second) % arguments.writers == i)
        partitions.push_back(&records);
    while (!partitions.empty()) writer.batches.push_back(TakeBatch(partitions, arguments.batch));
  }
  return writers;
}

// Ends at the first error: also a deadlock is one.
void ApplyAll(Writer& writer) {
  for (const auto& batch : writer.batches)
    if (writer.result) writer.result = writer.projection->Apply(batch);
}

Status Run(const Arguments& arguments) {
  const postgres::Options database = AuditDatabase();
  postgres::Options patient = database;
  patient.statement_timeout = std::chrono::hours(1);
  if (arguments.stored > 0) TOCSIN_CHECK_OK(Fill(patient, arguments.stored));
  Log log = MakeLog(arguments.alerts);
  std::deque<Writer> writers = MakeWriters(arguments, database, log);
  TOCSIN_CHECK_OK(Projection(patient, "load", ProjectedTopics(Topics()))
                      .EnsurePartitions(FromUnixMicros(kCreateTimeUs)));
  // Of another session, which stays open: its parent is the server.
  postgres::Session session(database);
  std::string backend;
  TOCSIN_CHECK_OK(session.Run([&](postgres::Transaction& transaction) -> Status {
    TOCSIN_TRY(const postgres::Rows rows, transaction.Query("SELECT pg_backend_pid()"));
    backend = rows.Text(0, 0);
    return {};
  }));
  const Seconds own = OwnCpu();
  const Seconds server = ServerCpu(backend);
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (Writer& writer : writers) threads.emplace_back([&writer] { ApplyAll(writer); });
  }
  const Seconds took = std::chrono::steady_clock::now() - start;
  const double count = static_cast<double>(arguments.alerts) * kRecordsPerAlert;
  const auto micros_each = [&](Seconds cpu) { return cpu.count() / count * 1e6; };
  fmt::print(
      "{} stored alerts, {} writers, batches of {}: {:.0f} records/s; CPU per record: {:.1f} us in "
      "the writers, {:.1f} us in PostgreSQL\n",
      arguments.stored, arguments.writers, arguments.batch, count / took.count(),
      micros_each(OwnCpu() - own), micros_each(ServerCpu(backend) - server));
  for (const Writer& writer : writers) TOCSIN_CHECK_OK(writer.result);
  const std::string delivered =
      QueryValue(patient, "SELECT count(*) FROM tocsin.alerts WHERE create_time_us >= " +
                              std::to_string(kCreateTimeUs) + " AND state = 4");
  if (delivered != std::to_string(arguments.alerts))
    return Fail(ErrorCode::kInternal, delivered + " alerts are delivered");
  return {};
}

}  // namespace
}  // namespace tocsin::audit

int main(int argc, char** argv) {
  const auto number = [&](int index, int otherwise) {
    return argc > index ? std::atoi(argv[index]) : otherwise;
  };
  const tocsin::audit::Arguments arguments{
      .alerts = number(1, 100'000) / tocsin::audit::kRecordsPerAlert,
      .writers = static_cast<size_t>(number(2, 2)),
      .batch = static_cast<size_t>(number(3, 4'000)),
      .stored = number(4, 0)};
  const auto run = tocsin::audit::Run(arguments);
  if (run) return EXIT_SUCCESS;
  fmt::print(stderr, "{}\n", run.error().message);
  return EXIT_FAILURE;
}
