// tocsin bulk: sends a file of alerts.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <system_error>
#include <thread>

#include "tocsin/v1/alert_service.grpc.pb.h"
#include "tools/tocsin/alert_format.h"
#include "tools/tocsin/bulk/bulk_file.h"
#include "tools/tocsin/bulk/bulk_journal.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

constexpr size_t kBatch = 100;         // alerts per request
constexpr size_t kPrintedErrors = 50;  // more are counted
constexpr int kRounds = 5;             // for alerts with retryable errors
constexpr std::chrono::seconds kRoundDelay{1};
constexpr int kBarWidth = 40;

const Choices<BulkFormat> kFormats{{"csv", BulkFormat::kCsv}, {"jsonl", BulkFormat::kJsonLines}};

struct Options {
  ServiceOptions service{
      .address = {}, .api_key_file = {}, .timeout_seconds = 60, .address_variable = {}};
  std::string path;
  std::optional<BulkFormat> format;
  std::string journal;
  v1::Priority priority = v1::PRIORITY_BULK;
  bool check_only = false;
};

Result<BulkFormat> FormatOf(const Options& options) {
  if (options.format) return *options.format;
  if (options.path.ends_with(".csv")) return BulkFormat::kCsv;
  if (options.path.ends_with(".jsonl") || options.path.ends_with(".ndjson"))
    return BulkFormat::kJsonLines;
  return Fail(ErrorCode::kInvalidArgument,
              "is required: the file name does not end in .csv, .jsonl or .ndjson", "--format");
}

// Empty: no journal. Standard input has no name for one.
std::string JournalPathOf(const Options& options) {
  if (!options.journal.empty() || options.path == "-") return options.journal;
  return options.path + ".journal";
}

int ReportErrors(const BulkFile& file, const Common& common) {
  if (common.json) {
    nlohmann::json errors = nlohmann::json::array();
    for (const BulkError& error : file.errors)
      errors.push_back({{"line", error.line}, {"column", error.column}, {"reason", error.reason}});
    PrintJson({{"rows", file.rows.size()}, {"errors", errors}});
    return kRefused;
  }
  for (size_t i = 0; i < std::min(file.errors.size(), kPrintedErrors); ++i) {
    const BulkError& error = file.errors[i];
    if (error.line > 0) std::cerr << "line " << error.line << ": ";
    std::cerr << (error.column.empty() ? "" : error.column + ": ") << error.reason << '\n';
  }
  if (file.errors.size() > kPrintedErrors)
    std::cerr << file.errors.size() - kPrintedErrors << " more errors\n";
  std::cerr << "tocsin: nothing sent: " << file.errors.size()
            << (file.errors.size() == 1 ? " error in " : " errors in ") << file.rows.size()
            << " alerts\n";
  return kRefused;
}

// On stderr, if it is a terminal.
class ProgressBar {
 public:
  explicit ProgressBar(size_t all) : all_(std::max<size_t>(all, 1)) {}
  ~ProgressBar() {
    if (terminal_) std::cerr << '\n';
  }
  void Show(size_t done) const {
    if (!terminal_) return;
    const auto filled = static_cast<int>(done * kBarWidth / all_);
    std::cerr << "\r[" << std::string(static_cast<size_t>(filled), '#')
              << std::string(static_cast<size_t>(kBarWidth - filled), '.') << "] " << done << '/'
              << all_ << std::flush;
  }

 private:
  const size_t all_;
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
};

using Rows = std::vector<const BulkRow*>;

// Sends one batch. Returns the rows with retryable errors.
Result<Rows> SendBatch(const ServiceClient& client, v1::AlertService::Stub& stub, const Rows& batch,
                       BulkJournal& journal) {
  v1::EnqueueBatchRequest request;
  for (const BulkRow* row : batch) *request.add_alerts() = row->request;
  v1::EnqueueBatchResponse response;
  TOCSIN_CHECK_OK(client.Call([&](grpc::ClientContext& context) {
    return stub.EnqueueBatch(&context, request, &response);
  }));
  Rows retry;
  for (size_t i = 0; i < batch.size() && i < static_cast<size_t>(response.results_size()); ++i) {
    const v1::EnqueueResult& result = response.results(static_cast<int>(i));
    if (result.has_accepted()) {
      journal.Add(batch[i]->line,
                  {result.accepted().alert_id(), "", "", result.accepted().replayed()});
      continue;
    }
    const Error error = ToError(result.error());
    if (TraitsOf(error.code).retryable)
      retry.push_back(batch[i]);
    else
      journal.Add(batch[i]->line, {"", std::string(TraitsOf(error.code).name), error.message});
  }
  TOCSIN_CHECK_OK(journal.Save());
  return retry;
}

// Sends the rows that the journal does not contain.
Status SendAll(const ServiceClient& client, const BulkFile& file, BulkJournal& journal) {
  const auto stub = v1::AlertService::NewStub(client.channel());
  const ProgressBar bar(file.rows.size());
  Rows rows;
  for (const BulkRow& row : file.rows)
    if (!journal.outcomes().contains(row.line)) rows.push_back(&row);
  for (int round = 0; round < kRounds && !rows.empty(); ++round) {
    if (round > 0) std::this_thread::sleep_for(kRoundDelay * round);
    Rows retry;
    for (size_t begin = 0; begin < rows.size(); begin += kBatch) {
      const auto first = rows.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto count = static_cast<std::ptrdiff_t>(std::min(kBatch, rows.size() - begin));
      TOCSIN_TRY(const Rows refused, SendBatch(client, *stub, Rows(first, first + count), journal));
      retry.insert(retry.end(), refused.begin(), refused.end());
      bar.Show(journal.outcomes().size());
    }
    rows = std::move(retry);
  }
  return {};
}

int ReportOutcomes(const BulkFile& file, const BulkJournal& journal, size_t already_accepted,
                   const std::string& journal_path, const Common& common) {
  size_t accepted = 0;
  nlohmann::json refused = nlohmann::json::array();
  for (const auto& [line, outcome] : journal.outcomes()) {
    if (!outcome.alert_id.empty()) {
      ++accepted;
      continue;
    }
    refused.push_back({{"line", line}, {"reason", outcome.reason}, {"message", outcome.message}});
    if (!common.json)
      std::cout << "line " << line << ": " << outcome.message << " (" << outcome.reason << ")\n";
  }
  const size_t remaining = file.rows.size() - journal.outcomes().size();
  if (common.json) {
    PrintJson(
        {{"rows", file.rows.size()},
         {"accepted", accepted},
         {"already_accepted", already_accepted},
         {"refused", refused},
         {"remaining", remaining},
         {"journal", journal_path.empty() ? nlohmann::json() : nlohmann::json(journal_path)}});
  } else {
    std::cout << file.rows.size() << " alerts: " << accepted << " accepted, " << refused.size()
              << " refused, " << remaining << " remaining";
    if (already_accepted > 0)
      std::cout << "; " << already_accepted << " accepted by an earlier run";
    if (!journal_path.empty()) std::cout << "; journal: " << journal_path;
    std::cout << '\n';
  }
  if (remaining > 0) return kUnreachable;
  return refused.empty() ? kDone : kRefused;
}

int ReportValid(const BulkFile& file, const Common& common) {
  if (common.json)
    PrintJson({{"rows", file.rows.size()}, {"errors", nlohmann::json::array()}});
  else
    std::cout << file.rows.size() << " alerts are valid\n";
  return kDone;
}

// The time for the validation of send and expire times; nothing for a run that is resumed. Its file
// was valid when the run began: the service refuses the lines that expired since, and only those.
std::optional<WallTime> ValidationTime(const Options& options) {
  std::error_code ignored;
  const std::string journal = JournalPathOf(options);
  if (!options.check_only && !journal.empty() && std::filesystem::exists(journal, ignored))
    return std::nullopt;
  return std::chrono::floor<Micros>(std::chrono::system_clock::now());
}

Result<BulkJournal> OpenJournal(const std::string& path, const std::string& file_id) {
  if (path.empty()) return BulkJournal::InMemory();
  return BulkJournal::Open(path, file_id);
}

size_t AcceptedIn(const BulkJournal& journal) {
  return static_cast<size_t>(
      std::count_if(journal.outcomes().begin(), journal.outcomes().end(),
                    [](const auto& e) { return !e.second.alert_id.empty(); }));
}

int Bulk(const Options& options, const Common& common) {
  const auto format = FormatOf(options);
  if (!format) return ReportMisuse(format.error());
  const auto content = ReadFile(options.path, kMaxBulkBytes);
  if (!content) return ReportMisuse(content.error());
  v1::EnqueueRequest defaults;
  defaults.set_priority(options.priority);
  const BulkFile file = ParseBulk(*content, *format, defaults, ValidationTime(options));
  if (!file.errors.empty()) return ReportErrors(file, common);
  if (options.check_only) return ReportValid(file, common);
  const auto client = ServiceClient::Create(options.service);
  if (!client) return ReportMisuse(client.error());
  const std::string journal_path = JournalPathOf(options);
  auto journal = OpenJournal(journal_path, file.id);
  if (!journal) return ReportMisuse(journal.error());
  const size_t already_accepted = AcceptedIn(*journal);
  const Status sent = SendAll(*client, file, *journal);
  const int code = ReportOutcomes(file, *journal, already_accepted, journal_path, common);
  return sent ? code : Report(sent.error());
}

}  // namespace

void AddBulk(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand(
      "bulk", "send a file of alerts: validated completely first, resumable by its journal");
  command.add_option("file", options->path, "CSV or JSON lines; - is stdin, which has no journal")
      ->required()
      ->type_name(kFile);
  command
      .add_option_function<std::string>(
          "--format",
          [options](const std::string& text) { options->format = FindChoice(kFormats, text); },
          "format; default by the file name, required for stdin")
      ->check(IsChoice(kFormats))
      ->type_name(PlaceholderOf(kFormats));
  command
      .add_option("--journal", options->journal,
                  "file with the result of each line; default the file name and .journal")
      ->type_name(kFile);
  AddChoice(command, "--priority", options->priority, kPriorities,
            "priority of rows that have none; default bulk");
  Hide(AddChoice(command, "--class", options->priority, kPriorities, ""));
  command.add_flag("--check", options->check_only, "validate the file, send nothing");
  options->service.AddTo(command, "TOCSIN_INGRESS_GRPC",
                         "timeout of each batch, including retries");
  command.callback([options, &action] {
    action = [options](const Common& common) { return Bulk(*options, common); };
  });
}

}  // namespace tocsin::cli
