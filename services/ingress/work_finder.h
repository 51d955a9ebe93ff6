// The work of a call's try: from the store, else from the log.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/ports/work_lookup.h"

namespace tocsin::ingress {

// A few threads of its own wait for the two, so that no thread of the webhook server does.
class WorkFinder final : public WorkLookup {
 public:
  static constexpr size_t kThreads = 4;
  static constexpr size_t kMaxWaiting = 1'000;

  // Each blocks and gives the record's bytes, or nothing when it has none.
  struct Sources {
    std::function<Result<std::optional<std::string>>(const v1::TryName& name)> store;
    std::function<Result<std::optional<std::string>>(const v1::Position& position)> log;
  };

  explicit WorkFinder(Sources sources);
  ~WorkFinder() override { Stop(); }

  // Those who wait are answered with kOverloaded. No answer is given after it. Blocks until the
  // sources gave back its threads.
  void Stop();

  void Find(const v1::TryName& name, const v1::Position& position,
            std::function<void(Result<v1::WorkRecord>)> answer) override;

 private:
  struct Question {
    v1::TryName name;
    v1::Position position;
    std::function<void(Result<v1::WorkRecord>)> answer;
  };

  void Serve();
  Result<v1::WorkRecord> Search(const Question& question) const;

  const Sources sources_;
  std::mutex mutex_;
  std::condition_variable asked_;
  std::deque<Question> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tocsin::ingress
