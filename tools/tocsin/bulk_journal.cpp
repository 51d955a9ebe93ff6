#include "tools/tocsin/bulk_journal.h"

#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace tocsin::cli {
namespace {

Error Unusable(const std::string& path, std::string why) {
  return Error{.code = ErrorCode::kInvalidConfig, .message = std::move(why), .field = path};
}

}  // namespace

Result<BulkJournal> BulkJournal::Open(const std::string& path, const std::string& file_name) {
  BulkJournal journal;
  journal.path_ = path;
  bool known = false;
  std::string kept;
  {
    std::ifstream in(path, std::ios::binary);
    for (std::string line; std::getline(in, line);) {
      const auto entry = nlohmann::json::parse(line, nullptr, false);
      if (!entry.is_object()) break;  // broken off while it was written
      kept += line + '\n';
      if (entry.contains("file")) {
        known = entry["file"] == file_name;
        if (!known)
          return Fail(Unusable(path, "is the journal of another file, or of another content"));
        continue;
      }
      journal.outcomes_[entry.value("line", size_t{0})] = {
          entry.value("alert_id", std::string()), entry.value("reason", std::string()),
          entry.value("message", std::string()), entry.value("replayed", false)};
    }
    if (!known && !kept.empty()) return Fail(Unusable(path, "is no journal"));
  }
  // Written anew, without what was broken off.
  journal.file_.reset(std::fopen(path.c_str(), "wb"));
  if (!journal.file_) return Fail(Unusable(path, "cannot be written"));
  if (kept.empty()) kept = nlohmann::json({{"file", file_name}}).dump() + '\n';
  std::fwrite(kept.data(), 1, kept.size(), journal.file_.get());
  TOCSIN_CHECK_OK(journal.Save());
  return journal;
}

void BulkJournal::Add(size_t line, BulkOutcome outcome) {
  nlohmann::json entry{{"line", line}};
  if (!outcome.alert_id.empty()) entry["alert_id"] = outcome.alert_id;
  if (!outcome.reason.empty()) entry["reason"] = outcome.reason;
  if (!outcome.message.empty()) entry["message"] = outcome.message;
  if (outcome.replayed) entry["replayed"] = true;
  const std::string text =
      entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  std::fwrite(text.data(), 1, text.size(), file_.get());
  outcomes_[line] = std::move(outcome);
}

Status BulkJournal::Save() {
  if (std::fflush(file_.get()) == 0 && fdatasync(fileno(file_.get())) == 0) return {};
  return Fail(Unusable(path_, "cannot be written"));
}

}  // namespace tocsin::cli
