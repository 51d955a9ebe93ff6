#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <system_error>
#include <thread>

#include "tocsin/v1/alert_service.grpc.pb.h"
#include "tools/tocsin/alert_words.h"
#include "tools/tocsin/bulk_file.h"
#include "tools/tocsin/bulk_journal.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/service_client.h"

namespace tocsin::cli {
namespace {

constexpr size_t kBatch = 100;       // alerts of one call
constexpr size_t kShownFaults = 50;  // the others are counted
constexpr int kRounds = 5;           // for alerts that are refused for now
constexpr std::chrono::seconds kBetweenRounds{1};
constexpr int kBarWidth = 40;

struct Options {
  ServiceOptions service{.address = {}, .api_key_file = {}, .timeout_seconds = 60};
  std::string path;
  std::string format;
  std::string journal;
  v1::AlertClass alert_class = v1::ALERT_CLASS_BULK;
  bool check_only = false;
};

Result<BulkFormat> FormatOf(const Options& options) {
  if (options.format == "csv" || (options.format.empty() && options.path.ends_with(".csv")))
    return BulkFormat::kCsv;
  if (!options.format.empty() || options.path.ends_with(".jsonl") ||
      options.path.ends_with(".ndjson"))
    return BulkFormat::kJsonLines;
  return Fail(ErrorCode::kInvalidConfig, "cannot be told by the file's name; say csv or jsonl",
              "--format");
}

std::string JournalOf(const Options& options) {
  return options.journal.empty() ? options.path + ".journal" : options.journal;
}

int ReportFaults(const BulkFile& file, const Common& common) {
  if (common.json) {
    nlohmann::json faults = nlohmann::json::array();
    for (const BulkFault& fault : file.faults)
      faults.push_back({{"line", fault.line}, {"column", fault.column}, {"reason", fault.reason}});
    PrintJson({{"rows", file.rows.size()}, {"faults", faults}});
    return kRefused;
  }
  for (size_t i = 0; i < std::min(file.faults.size(), kShownFaults); ++i) {
    const BulkFault& fault = file.faults[i];
    if (fault.line > 0) std::cerr << "line " << fault.line << ": ";
    std::cerr << (fault.column.empty() ? "" : fault.column + ' ') << fault.reason << '\n';
  }
  if (file.faults.size() > kShownFaults)
    std::cerr << "and " << file.faults.size() - kShownFaults << " faults more\n";
  std::cerr << "tocsin: nothing was sent: " << file.faults.size() << " fault(s) in "
            << file.rows.size() << " alerts\n";
  return kRefused;
}

// On stderr, when a person looks at it.
class ProgressBar {
 public:
  explicit ProgressBar(size_t all) : all_(std::max<size_t>(all, 1)) {}
  ~ProgressBar() {
    if (live_) std::cerr << '\n';
  }
  void Show(size_t done) const {
    if (!live_) return;
    const auto filled = static_cast<int>(done * kBarWidth / all_);
    std::cerr << "\r[" << std::string(static_cast<size_t>(filled), '#')
              << std::string(static_cast<size_t>(kBarWidth - filled), '.') << "] " << done << '/'
              << all_ << std::flush;
  }

 private:
  const size_t all_;
  const bool live_ = isatty(STDERR_FILENO) == 1;
};

using Left = std::vector<const BulkRow*>;

// Sends up to kBatch of them; those refused for now are given back.
Result<Left> SendBatch(const ServiceClient& client, v1::AlertService::Stub& stub, const Left& batch,
                       BulkJournal& journal) {
  v1::EnqueueBatchRequest request;
  for (const BulkRow* row : batch) *request.add_alerts() = row->request;
  v1::EnqueueBatchResponse response;
  TOCSIN_CHECK_OK(client.Call([&](grpc::ClientContext& context) {
    return stub.EnqueueBatch(&context, request, &response);
  }));
  Left again;
  for (size_t i = 0; i < batch.size() && i < static_cast<size_t>(response.results_size()); ++i) {
    const v1::EnqueueResult& result = response.results(static_cast<int>(i));
    if (result.has_accepted()) {
      journal.Add(batch[i]->line,
                  {result.accepted().alert_id(), "", "", result.accepted().replayed()});
      continue;
    }
    const Error error = ToError(result.error());
    if (TraitsOf(error.code).retryable)
      again.push_back(batch[i]);
    else
      journal.Add(batch[i]->line, {"", std::string(TraitsOf(error.code).name), error.message});
  }
  TOCSIN_CHECK_OK(journal.Save());
  return again;
}

// Sends what the journal does not know. Gives the number that is left.
Result<size_t> SendAll(const ServiceClient& client, const BulkFile& file, BulkJournal& journal) {
  const auto stub = v1::AlertService::NewStub(client.channel());
  const ProgressBar bar(file.rows.size());
  Left left;
  for (const BulkRow& row : file.rows)
    if (!journal.outcomes().contains(row.line)) left.push_back(&row);
  for (int round = 0; round < kRounds && !left.empty(); ++round) {
    if (round > 0) std::this_thread::sleep_for(kBetweenRounds * round);
    Left again;
    for (size_t begin = 0; begin < left.size(); begin += kBatch) {
      const Left batch(
          left.begin() + static_cast<std::ptrdiff_t>(begin),
          left.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kBatch, left.size())));
      TOCSIN_TRY(const Left refused, SendBatch(client, *stub, batch, journal));
      again.insert(again.end(), refused.begin(), refused.end());
      bar.Show(journal.outcomes().size());
    }
    left = std::move(again);
  }
  return left.size();
}

int ReportOutcomes(const BulkFile& file, const BulkJournal& journal, size_t before,
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
  const size_t left = file.rows.size() - journal.outcomes().size();
  if (common.json) {
    PrintJson({{"rows", file.rows.size()},
               {"accepted", accepted},
               {"before", before},
               {"refused", refused},
               {"left", left},
               {"journal", journal_path}});
  } else {
    std::cout << file.rows.size() << " alerts: " << accepted << " accepted, " << refused.size()
              << " refused, " << left << " left";
    if (before > 0) std::cout << "; " << before << " of them in an earlier run";
    std::cout << "; " << journal_path << '\n';
  }
  if (left > 0) return kUnreachable;
  return refused.empty() ? kDone : kRefused;
}

int ReportChecked(const BulkFile& file, const Common& common) {
  if (common.json)
    PrintJson({{"rows", file.rows.size()}, {"faults", nlohmann::json::array()}});
  else
    std::cout << file.rows.size() << " alerts can be sent\n";
  return kDone;
}

// When the file is to be checked for. A run that is taken up again was checked when it began: a
// time that has passed since is the service's to refuse, line by line, and must not keep the other
// lines from being sent.
std::optional<WallTime> CheckTime(const Options& options) {
  std::error_code ignored;
  if (!options.check_only && std::filesystem::exists(JournalOf(options), ignored))
    return std::nullopt;
  return std::chrono::floor<Micros>(std::chrono::system_clock::now());
}

int Bulk(const Options& options, const Common& common) {
  const auto format = FormatOf(options);
  if (!format) return Report(format.error());
  const auto content = ReadFile(options.path, kMaxBulkBytes);
  if (!content) return Report(content.error());
  v1::EnqueueRequest standard;
  standard.set_class_(options.alert_class);
  const BulkFile file = ParseBulk(*content, *format, standard, CheckTime(options));
  if (!file.faults.empty()) return ReportFaults(file, common);
  if (options.check_only) return ReportChecked(file, common);
  const auto client = ServiceClient::Connect(options.service);
  if (!client) return Report(client.error());
  auto journal = BulkJournal::Open(JournalOf(options), file.name);
  if (!journal) return Report(journal.error());
  const size_t before = journal->outcomes().size();
  const auto sent = SendAll(*client, file, *journal);
  const int reported = ReportOutcomes(file, *journal, before, JournalOf(options), common);
  return sent ? reported : Report(sent.error());
}

}  // namespace

void AddBulk(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *app.add_subcommand(
      "bulk", "send a file of alerts: checked whole first, resumed by its journal");
  command.add_option("file", options->path, "CSV or JSON lines")->required();
  command.add_option("--format", options->format, "csv or jsonl; default: by the file's name")
      ->check(CLI::IsMember({"csv", "jsonl"}));
  command.add_option("--journal", options->journal, "default: the file's name and .journal");
  command.add_option("--class", options->alert_class, "of rows that name none; default: bulk")
      ->transform(CLI::CheckedTransformer(kClasses, CLI::ignore_case));
  command.add_flag("--check", options->check_only, "check the file, send nothing");
  options->service.AddTo(command, "TOCSIN_INGRESS_GRPC");
  for (const char* name : {"--address", "--api-key-file"})
    command.get_option(name)->required(false);  // a check calls nobody; else Connect() asks for it
  command.callback([options, &action] {
    action = [options](const Common& common) { return Bulk(*options, common); };
  });
}

}  // namespace tocsin::cli
