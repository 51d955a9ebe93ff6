#include "common/delivery/loop_record_log.h"

#include <utility>

namespace tocsin {

void LoopRecordLog::Publish(OutgoingRecord record,
                            std::function<void(const PublishReport&)> report) {
  log_.Publish(std::move(record), [this, done = std::move(report)](const PublishReport& result) {
    scheduler_.Post([done, result] { done(result); });
  });
}

}  // namespace tocsin
