#include "tools/tocsin/bulk/bulk_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

namespace tocsin::cli {
namespace {

constexpr size_t kMaxLine = 64 << 10;  // bytes; longer than any entry
constexpr mode_t kMode = 0666;         // before the umask

Error InvalidJournal(const std::string& path, std::string reason) {
  return Error{.code = ErrorCode::kInvalidArgument, .message = std::move(reason), .field = path};
}

std::string WithSystemError(const char* reason, int number) {
  return std::string(reason) + ": " + std::generic_category().message(number);
}

// The id of the file that the journal belongs to, or nothing if the line is not a header.
std::optional<std::string> ReadHeader(const std::string& text) {
  const auto header = nlohmann::json::parse(text, nullptr, false);
  if (!header.is_object() || header.size() != 1) return std::nullopt;
  const auto file = header.find("file");
  if (file == header.end() || !file->is_string()) return std::nullopt;
  return file->get<std::string>();
}

std::optional<std::pair<size_t, BulkOutcome>> ReadEntry(const std::string& text) try {
  const auto entry = nlohmann::json::parse(text);
  const nlohmann::json& line = entry.at("line");
  BulkOutcome outcome{entry.value("alert_id", std::string()), entry.value("reason", std::string()),
                      entry.value("message", std::string()), entry.value("replayed", false)};
  if (!line.is_number_unsigned() || (outcome.alert_id.empty() && outcome.reason.empty()))
    return std::nullopt;
  return std::pair{line.get<size_t>(), std::move(outcome)};
} catch (const nlohmann::json::exception&) {
  return std::nullopt;
}

// Opens for appending and locks.
Result<int> OpenLocked(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, kMode);
  if (file < 0) return Fail(InvalidJournal(path, WithSystemError("cannot be written", errno)));
  struct stat found {};
  std::string reason;
  if (fstat(file, &found) != 0 || !S_ISREG(found.st_mode))
    reason = "is not a regular file";
  else if (flock(file, LOCK_EX | LOCK_NB) != 0)
    reason = errno == EWOULDBLOCK ? "is in use by another run"
                                  : WithSystemError("cannot be locked", errno);
  if (reason.empty()) return file;
  close(file);
  return Fail(InvalidJournal(path, std::move(reason)));
}

}  // namespace

Status BulkJournal::ReadLine(size_t number, const std::string& text, const std::string& file_id) {
  if (number == 1) {
    const auto header = ReadHeader(text);
    if (!header)
      return Fail(InvalidJournal(path_, "is not a journal of `tocsin bulk`; not modified"));
    if (*header != file_id)
      return Fail(InvalidJournal(path_, "is the journal of another file, or of other content"));
    return {};
  }
  auto entry = ReadEntry(text);
  if (!entry)
    return Fail(
        InvalidJournal(path_, "line " + std::to_string(number) + " is not an entry of a journal"));
  outcomes_[entry->first] = std::move(entry->second);
  return {};
}

Result<size_t> BulkJournal::Read(const std::string& file_id) {
  std::ifstream in(path_, std::ios::binary);
  if (!in) return Fail(InvalidJournal(path_, WithSystemError("cannot be read", errno)));
  std::array<char, kMaxLine> line;
  size_t complete = 0;
  for (size_t number = 1; in.getline(line.data(), line.size()); ++number) {
    const auto length = static_cast<size_t>(in.gcount());
    if (in.eof() && number > 1) return complete;  // incomplete
    // A header without a line break may be the content of another program.
    const std::string text = in.eof() ? std::string() : std::string(line.data(), length - 1);
    TOCSIN_CHECK_OK(ReadLine(number, text, file_id));
    complete += length;
  }
  if (in.bad()) return Fail(InvalidJournal(path_, "cannot be read"));
  if (!in.eof())
    return Fail(InvalidJournal(path_, "is not a journal of `tocsin bulk`: a line is too long"));
  return complete;
}

Result<BulkJournal> BulkJournal::Open(const std::string& path, const std::string& file_id) {
  BulkJournal journal;
  journal.path_ = path;
  TOCSIN_TRY(const int file, OpenLocked(path));
  journal.file_.reset(fdopen(file, "ab"));
  TOCSIN_TRY(const size_t complete, journal.Read(file_id));
  if (lseek(file, 0, SEEK_END) != static_cast<off_t>(complete) &&
      ftruncate(file, static_cast<off_t>(complete)) != 0)
    return Fail(InvalidJournal(path, WithSystemError("cannot be written", errno)));
  if (complete > 0) return journal;
  const std::string header = nlohmann::json({{"file", file_id}}).dump() + '\n';
  std::fwrite(header.data(), 1, header.size(), journal.file_.get());
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
  if (file_) std::fwrite(text.data(), 1, text.size(), file_.get());
  outcomes_[line] = std::move(outcome);
}

Status BulkJournal::Save() {
  std::FILE* file = file_.get();
  if (file == nullptr) return {};
  if (std::fflush(file) == 0 && std::ferror(file) == 0 && fdatasync(fileno(file)) == 0) return {};
  return Fail(ErrorCode::kInternal, WithSystemError("cannot be written", errno), path_);
}

}  // namespace tocsin::cli
