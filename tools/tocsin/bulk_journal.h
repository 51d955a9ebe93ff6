// What became of each line of a file, written down as it is answered: a run that was broken off is
// taken up again behind it.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "common/base/result.h"

namespace tocsin::cli {

struct BulkOutcome {
  std::string alert_id;  // empty: refused
  std::string reason;    // from the closed list
  std::string message;   // free of personal data
  bool replayed = false;
};

class BulkJournal {
 public:
  // Reads what is there and appends to it; what is there is never written again. Only a last line
  // that was broken off is cut. Holds the file alone until destroyed. kInvalidConfig, and the file
  // as it was, when it is no journal, that of another file, in use by another run, holds a line
  // that is no entry, or cannot be read or written.
  static Result<BulkJournal> Open(const std::string& path, const std::string& file_name);

  // By line of the file.
  const std::map<size_t, BulkOutcome>& outcomes() const { return outcomes_; }

  // Remembers; on disk after Save().
  void Add(size_t line, BulkOutcome outcome);
  Status Save();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  // Fills `outcomes_`; gives the length of the whole lines, 0 for an empty file.
  Result<size_t> Read(const std::string& file_name);
  Status ReadLine(size_t number, const std::string& text, const std::string& file_name);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::map<size_t, BulkOutcome> outcomes_;
};

}  // namespace tocsin::cli
