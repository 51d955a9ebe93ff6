// The result of each line of a file. Written to a file after each batch, so that a run that was
// interrupted can be resumed.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "common/base/result.h"

namespace tocsin::cli {

struct BulkOutcome {
  std::string alert_id;  // empty if refused
  std::string reason;    // from the closed list; empty if accepted
  std::string message;   // free of personal data
  bool replayed = false;
};

class BulkJournal {
 public:
  // Reads the journal at `path` and appends to it; creates it if needed. Locks it until destroyed.
  // Cuts off an incomplete last line, and never changes anything else. Fails with kInvalidArgument,
  // without changing the file, if it is not a journal, belongs to a file with another id, is in use
  // by another run, has an invalid line, or cannot be read or written.
  static Result<BulkJournal> Open(const std::string& path, const std::string& file_id);

  // A journal without a file: for a run that cannot be resumed.
  static BulkJournal InMemory() { return {}; }

  // By line.
  const std::map<size_t, BulkOutcome>& outcomes() const { return outcomes_; }

  // Adds a result. It is on disk after Save(), which fails with kInternal if it cannot be written.
  void Add(size_t line, BulkOutcome outcome);
  Status Save();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  // Fills `outcomes_`. Returns the length of the complete lines, 0 for an empty file.
  Result<size_t> Read(const std::string& file_id);
  Status ReadLine(size_t number, const std::string& text, const std::string& file_id);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;  // null: in memory
  std::map<size_t, BulkOutcome> outcomes_;
};

}  // namespace tocsin::cli
