#include "tools/tocsin/bulk_journal.h"

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

constexpr size_t kMaxLine = 64 << 10;  // an entry is far shorter; another kind of file may not be
constexpr mode_t kMode = 0666;         // less what the umask takes

Error Unusable(const std::string& path, std::string why) {
  return Error{.code = ErrorCode::kInvalidConfig, .message = std::move(why), .field = path};
}

std::string Because(const char* what, int number) {
  return std::string(what) + ": " + std::generic_category().message(number);
}

// The name of the file a journal is of, or nothing when this is no first line of a journal.
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

// Opened for appending, and nobody else's until it is closed.
Result<int> OpenAlone(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, kMode);
  if (file < 0) return Fail(Unusable(path, Because("cannot be written", errno)));
  struct stat found {};
  std::string why;
  if (fstat(file, &found) != 0 || !S_ISREG(found.st_mode))
    why = "is no regular file";
  else if (flock(file, LOCK_EX | LOCK_NB) != 0)
    why = errno == EWOULDBLOCK ? "is in use by another run" : Because("cannot be locked", errno);
  if (why.empty()) return file;
  close(file);
  return Fail(Unusable(path, std::move(why)));
}

}  // namespace

Status BulkJournal::ReadLine(size_t number, const std::string& text, const std::string& file_name) {
  if (number == 1) {
    const auto header = ReadHeader(text);
    if (!header) return Fail(Unusable(path_, "is no journal of `tocsin bulk`; it is left alone"));
    if (*header != file_name)
      return Fail(Unusable(path_, "is the journal of another file, or of another content"));
    return {};
  }
  auto entry = ReadEntry(text);
  if (!entry)
    return Fail(Unusable(path_, "line " + std::to_string(number) + " is no entry of a journal"));
  outcomes_[entry->first] = std::move(entry->second);
  return {};
}

Result<size_t> BulkJournal::Read(const std::string& file_name) {
  std::ifstream in(path_, std::ios::binary);
  if (!in) return Fail(Unusable(path_, Because("cannot be read", errno)));
  std::array<char, kMaxLine> line;
  size_t whole = 0;
  for (size_t number = 1; in.getline(line.data(), line.size()); ++number) {
    const auto taken = static_cast<size_t>(in.gcount());
    if (in.eof() && number > 1) return whole;  // broken off while it was written
    // A header without its line break is nobody's: what stands there may be of another program.
    const std::string text = in.eof() ? std::string() : std::string(line.data(), taken - 1);
    TOCSIN_CHECK_OK(ReadLine(number, text, file_name));
    whole += taken;
  }
  if (in.bad()) return Fail(Unusable(path_, "cannot be read"));
  if (!in.eof()) return Fail(Unusable(path_, "is no journal of `tocsin bulk`: a line is too long"));
  return whole;
}

Result<BulkJournal> BulkJournal::Open(const std::string& path, const std::string& file_name) {
  BulkJournal journal;
  journal.path_ = path;
  TOCSIN_TRY(const int file, OpenAlone(path));
  journal.file_.reset(fdopen(file, "ab"));
  TOCSIN_TRY(const size_t whole, journal.Read(file_name));
  if (lseek(file, 0, SEEK_END) != static_cast<off_t>(whole) &&
      ftruncate(file, static_cast<off_t>(whole)) != 0)
    return Fail(Unusable(path, Because("cannot be written", errno)));
  if (whole > 0) return journal;
  const std::string header = nlohmann::json({{"file", file_name}}).dump() + '\n';
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
  std::fwrite(text.data(), 1, text.size(), file_.get());
  outcomes_[line] = std::move(outcome);
}

Status BulkJournal::Save() {
  std::FILE* file = file_.get();
  if (std::fflush(file) == 0 && std::ferror(file) == 0 && fdatasync(fileno(file)) == 0) return {};
  return Fail(Unusable(path_, "cannot be written"));
}

}  // namespace tocsin::cli
