#include "services/audit/query/timeline.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "services/audit/projection/plan_terms.h"
#include "services/audit/projection/submission.h"
#include "services/audit/query/event_text.h"
#include "services/audit/query/plan_view.h"

namespace tocsin::audit {
namespace {

using AttemptKey = std::pair<std::int32_t, std::int32_t>;  // step, attempt

// What can be observed of an attempt, in causal order.
enum class Stage {
  kQueued,
  kSubmitting,
  kInDoubt,
  kUnresolved,  // ended while in doubt; a later proof of acceptance replaces it
  kAccepted,
  kInProgress,  // sent, or ringing
  kAnswered,
  kKeyPressed,
  kEnded,
};

struct Line {
  AttemptKey attempt;
  Stage stage = Stage::kQueued;
  WallTime time;
  v1::AttemptStatus status = v1::ATTEMPT_STATUS_UNSPECIFIED;
  // The time is an upper bound: of a report that may have come late.
  bool reported = false;
  // Part of the causal order of an attempt.
  bool ordered = false;
  EventText text;
};

Stage StageOf(const AlertEvent& event, const EventText& text) {
  if (event.webhook_kind == records::v1::WEBHOOK_KIND_VOICE_GATHER) return Stage::kKeyPressed;
  switch (event.status) {
    case v1::ATTEMPT_STATUS_QUEUED: return Stage::kQueued;
    case v1::ATTEMPT_STATUS_SENDING: return Stage::kSubmitting;
    case v1::ATTEMPT_STATUS_IN_DOUBT: return Stage::kInDoubt;
    case v1::ATTEMPT_STATUS_SENT:
      return text.phrase == "Accepted by Twilio" ? Stage::kAccepted : Stage::kInProgress;
    case v1::ATTEMPT_STATUS_RINGING:
      return text.phrase == "Ringing" ? Stage::kInProgress : Stage::kAnswered;
    case v1::ATTEMPT_STATUS_ANSWERED_MACHINE:
    case v1::ATTEMPT_STATUS_ANSWERED_HUMAN: return Stage::kAnswered;
    case v1::ATTEMPT_STATUS_FAILED:
      // Ranks below proof of acceptance if it ended while in doubt.
      return RankOf(event.status, event.reason) < RankOf(v1::ATTEMPT_STATUS_SENT, "")
                 ? Stage::kUnresolved
                 : Stage::kEnded;
    default: return Stage::kEnded;
  }
}

Line MakeLine(const AlertEvent& event, v1::Channel channel) {
  Line line{.attempt = {event.step, event.attempt},
            .time = event.time,
            .status = event.status,
            .text = MakeEventText(event, channel)};
  line.ordered =
      event.kind == AlertEventKind::kAttemptChanged || event.kind == AlertEventKind::kCallback;
  line.stage = StageOf(event, line.text);
  line.reported =
      event.kind == AlertEventKind::kCallback || (line.ordered && line.stage == Stage::kAccepted);
  return line;
}

// A worker publishes a start before each POST, also before one that it then cannot make. An attempt
// has one POST: of its starts the last one before the first response belongs to it.
void MergeStart(const Line& start, std::optional<WallTime> response, Line& merged) {
  const auto is_candidate = [&](WallTime time) { return !response || time <= *response; };
  if (!is_candidate(merged.time))
    merged.time = std::min(merged.time, start.time);
  else if (is_candidate(start.time))
    merged.time = std::max(merged.time, start.time);
}

// The lines of one attempt: one per fact, in causal order.
class AttemptLines {
 public:
  void Add(Line line) {
    if (line.stage > Stage::kSubmitting && line.ordered)
      response_ = std::min(response_.value_or(line.time), line.time);
    lines_.push_back(std::move(line));
  }

  std::vector<Line> Take() && {
    std::vector<Line> lines = Merged();
    std::ranges::stable_sort(lines, {}, [](const Line& line) {
      return std::tuple(!line.ordered, line.stage, line.time);
    });
    AlignTimes(lines);
    return lines;
  }

 private:
  std::vector<Line> Merged() {
    std::vector<Line> merged;
    std::map<std::string, size_t> index;  // by phrase
    for (Line& line : lines_) {
      const auto [entry, added] = index.try_emplace(line.text.phrase, merged.size());
      if (added || !line.ordered) {
        merged.push_back(std::move(line));
        continue;
      }
      Line& known = merged[entry->second];
      if (line.stage == Stage::kSubmitting)
        MergeStart(line, response_, known);
      else
        known.time = std::min(known.time, line.time);
      known.reported = known.reported || line.reported;
      known.text.Merge(std::move(line.text));
    }
    return merged;
  }

  // `lines` are in causal order. A report was made no later than the reports of what followed, and
  // nothing happened before its cause.
  static void AlignTimes(std::vector<Line>& lines) {
    WallTime next = WallTime::max();
    for (size_t i = lines.size(); i-- > 0;) {
      if (!lines[i].ordered) continue;
      if (lines[i].reported) lines[i].time = std::min(lines[i].time, next);
      next = std::min(next, lines[i].time);
    }
    WallTime previous = WallTime::min();
    WallTime first = WallTime::min();
    for (Line& line : lines) {
      line.time = std::max(line.time, line.ordered ? previous : first);
      if (!line.ordered) continue;
      if (previous == WallTime::min()) first = line.time;
      previous = line.time;
    }
  }

  std::vector<Line> lines_;
  std::optional<WallTime> response_;  // the first report of what followed the submission
};

std::set<AttemptKey> NotSubmitted(const ProjectedAlert& projected) {
  std::set<AttemptKey> keys;
  for (const AttemptProjection& attempt : projected.attempts)
    if (!WasSubmitted(attempt)) keys.emplace(attempt.step(), attempt.attempt());
  return keys;
}

// The deadline of an alert that was cancelled before has no effect.
bool HasEffect(const AlertEvent& event, const ProjectedAlert& projected) {
  return event.kind != AlertEventKind::kGoalMissed ||
         projected.state == v1::ALERT_STATE_NOT_ACKNOWLEDGED;
}

}  // namespace

void SetTime(WallTime time, google::protobuf::Timestamp& into) {
  constexpr std::int64_t kMicrosPerSecond = 1'000'000;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  into.set_seconds(seconds.time_since_epoch().count());
  into.set_nanos(static_cast<std::int32_t>((time - seconds).count() % kMicrosPerSecond * 1'000));
}

std::vector<v1::TimelineEntry> MakeTimeline(v1::Channel channel,
                                            std::optional<WallTime> create_time,
                                            std::span<const AlertEvent> events,
                                            const records::v1::Plan& plan) {
  const ProjectedAlert projected = ProjectAlert(true, events, TermsOf(plan));
  const std::set<AttemptKey> not_submitted = NotSubmitted(projected);
  std::vector<Line> lines;
  std::map<AttemptKey, AttemptLines> attempts;
  for (const AlertEvent& event : events) {
    if (!HasEffect(event, projected)) continue;
    Line line = MakeLine(event, ChannelOf(plan, event.step, channel));
    if (line.status == v1::ATTEMPT_STATUS_SENDING && not_submitted.contains(line.attempt)) continue;
    if (line.attempt == AttemptKey()) {
      lines.push_back(std::move(line));
      continue;
    }
    AttemptLines& attempt = attempts[line.attempt];
    attempt.Add(std::move(line));
  }
  for (auto& [key, attempt] : attempts)
    for (Line& line : std::move(attempt).Take()) lines.push_back(std::move(line));
  if (create_time)
    for (Line& line : lines) line.time = std::max(line.time, *create_time);
  // At the same time, what happened to the whole alert because of an attempt comes after it.
  std::ranges::stable_sort(lines, {}, [](const Line& line) {
    return std::tuple(line.time, line.attempt == AttemptKey(), line.attempt);
  });
  std::vector<v1::TimelineEntry> entries;
  if (create_time) {
    v1::TimelineEntry& entry = entries.emplace_back();
    SetTime(*create_time, *entry.mutable_event_time());
    entry.set_description("Accepted");
  }
  for (const Line& line : lines) {
    v1::TimelineEntry& entry = entries.emplace_back();
    SetTime(line.time, *entry.mutable_event_time());
    entry.set_description(line.text.Description());
    entry.set_step(line.attempt.first);
    entry.set_attempt(line.attempt.second);
    entry.set_status(line.status);
  }
  return entries;
}

}  // namespace tocsin::audit
