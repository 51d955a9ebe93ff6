#include "tools/tocsin/plan_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/yaml_documents.h"
#include "common/domain/alert/request_rules.h"
#include "common/domain/message/phone.h"
#include "common/domain/message/utf8.h"
#include "tools/tocsin/alert_format.h"

namespace tocsin::cli {
namespace {

using std::chrono::seconds;

constexpr size_t kMaxPrintedKey = 32;
constexpr seconds kMaxDuration = std::chrono::hours(7 * 24);

const Choices<v1::Reach> kGoals{{"delivered", v1::REACH_DELIVERED},
                                {"human", v1::REACH_HUMAN},
                                {"acknowledged", v1::REACH_ACKNOWLEDGED}};

const std::vector<std::string> kPlanKeys{"goal", "steps"};
const std::vector<std::string> kGoalKeys{"reach", "acknowledged_by", "within"};
const std::vector<std::string> kStepKeys{"after", "targets"};
const std::vector<std::string> kTargetKeys{"person", "channel",  "to",    "text",
                                           "sender", "language", "voice", "machine_detection"};
const std::vector<std::string> kVoiceKeys{"voice", "language", "machine_detection"};  // of calls

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Whether an unknown key may be printed: anything else may be a phone number or a text.
bool LooksLikeKey(const std::string& name) {
  return !name.empty() && name.size() <= kMaxPrintedKey &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "30s", "2m", "1h" or "7d", from 1 s to kMaxDuration.
std::optional<seconds> ParseDuration(std::string_view text) {
  static const std::map<char, seconds> kUnits{{'s', seconds(1)},
                                              {'m', std::chrono::minutes(1)},
                                              {'h', std::chrono::hours(1)},
                                              {'d', std::chrono::hours(24)}};
  const auto unit = text.empty() ? kUnits.end() : kUnits.find(text.back());
  if (unit == kUnits.end()) return std::nullopt;
  const auto number = ParseNumber<std::int64_t>(text.substr(0, text.size() - 1));
  if (!number || *number < 1 || *number > kMaxDuration / unit->second) return std::nullopt;
  return *number * unit->second;
}

// A value with the position of its key.
struct Entry {
  YAML::Mark key;
  YAML::Node value;
};

// A map with known keys, each given once with a value.
struct Section {
  YAML::Mark mark;
  std::string field;  // "steps[0].targets[1]"; empty for the whole file
  std::map<std::string, Entry> entries;

  const Entry* Find(const std::string& key) const {
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }
  std::string FieldOf(const std::string& key) const {
    return field.empty() ? key : field + '.' + key;
  }
};

// Reads one file. Each function fails at its first error.
class PlanReader {
 public:
  PlanReader(const std::string& path, bool has_text) : path_(path), has_text_(has_text) {}

  // A null mark: the start of the file.
  tl::unexpected<Error> Fail(const YAML::Mark& mark, const std::string& field,
                             std::string reason) const {
    const int line = mark.is_null() ? 0 : mark.line;
    const int column = mark.is_null() ? 0 : mark.column;
    return tocsin::Fail(ErrorCode::kInvalidArgument, std::move(reason),
                        path_ + ':' + std::to_string(line + 1) + ':' + std::to_string(column + 1) +
                            (field.empty() ? "" : ": " + field));
  }

  Result<v1::Plan> Read(const YAML::Node& root) {
    TOCSIN_TRY(const Section section, ReadSection(root, "", kPlanKeys));
    v1::Plan plan;
    TOCSIN_TRY(const std::vector<YAML::Node> steps, ReadList(section, "steps", "step"));
    for (int i = 0; i < std::ssize(steps); ++i) {
      const std::string field = "steps[" + std::to_string(i) + ']';
      if (i == kMaxPlanSteps)
        return Fail(steps[i].Mark(), field,
                    "exceeds the maximum of " + std::to_string(kMaxPlanSteps) +
                        " steps; remove it, or put its targets into another step");
      TOCSIN_TRY(*plan.add_steps(), ReadStep(steps[i], field, i == 0));
    }
    if (const Entry* goal = section.Find("goal")) {
      TOCSIN_TRY(*plan.mutable_goal(), ReadGoal(*goal));
    }
    return plan;
  }

 private:
  Result<Section> ReadSection(const YAML::Node& node, std::string field,
                              const std::vector<std::string>& keys) const {
    Section section{node.Mark(), std::move(field), {}};
    if (!node.IsMap())
      return Fail(section.mark, section.field,
                  "is not a map; write KEY: VALUE with the keys " + Joined(keys));
    for (const auto& entry : node) {
      const YAML::Mark mark = entry.first.Mark();
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        return Fail(mark, LooksLikeKey(key) ? section.FieldOf(key) : section.field,
                    "unknown key; use " + Joined(keys));
      if (entry.second.IsNull())
        return Fail(mark, section.FieldOf(key), "has no value; write one or remove the key");
      if (!section.entries.emplace(key, Entry{mark, entry.second}).second)
        return Fail(mark, section.FieldOf(key), "is given twice; remove one of the two");
    }
    return section;
  }

  // A list with at least one entry.
  Result<std::vector<YAML::Node>> ReadList(const Section& section, const std::string& key,
                                           const std::string& entry_name) const {
    const std::string field = section.FieldOf(key);
    const Entry* entry = section.Find(key);
    if (entry == nullptr)
      return Fail(section.mark, field, "is missing; add at least one " + entry_name);
    if (!entry->value.IsSequence())
      return Fail(entry->value.Mark(), field,
                  "is not a list; begin each " + entry_name + " with \"- \"");
    if (entry->value.size() == 0)
      return Fail(entry->value.Mark(), field, "is empty; add at least one " + entry_name);
    return std::vector<YAML::Node>(entry->value.begin(), entry->value.end());
  }

  // The text of a plain value, without control characters. Empty if the key is not given.
  Result<std::string> ReadText(const Section& section, const std::string& key) const {
    const Entry* entry = section.Find(key);
    if (entry == nullptr) return std::string();
    const YAML::Mark mark = entry->value.Mark();
    if (!entry->value.IsScalar())
      return Fail(mark, section.FieldOf(key), "is not a single value; write one text or number");
    std::string text = entry->value.Scalar();
    if (text.empty())
      return Fail(mark, section.FieldOf(key), "is empty; write a value or remove the key");
    if (key != "text" && HasControlCharacter(text))
      return Fail(mark, section.FieldOf(key), "has a control character; remove it");
    return text;
  }

  Result<google::protobuf::Duration> ReadDuration(const Section& section,
                                                  const std::string& key) const {
    TOCSIN_TRY(const std::string text, ReadText(section, key));
    const auto duration = ParseDuration(text);
    if (!duration)
      return Fail(section.Find(key)->value.Mark(), section.FieldOf(key),
                  "is not a duration from 1s to 7d; write a number and a unit, such as 30s, 2m or "
                  "1h");
    google::protobuf::Duration read;
    read.set_seconds(duration->count());
    return read;
  }

  Result<v1::Step> ReadStep(const YAML::Node& node, const std::string& field, bool first) {
    TOCSIN_TRY(const Section section, ReadSection(node, field, kStepKeys));
    v1::Step step;
    const Entry* after = section.Find("after");
    if (first && after != nullptr)
      return Fail(after->key, section.FieldOf("after"),
                  "is not allowed in the first step; remove it, or delay the alert with "
                  "--send-time");
    if (!first && after == nullptr)
      return Fail(section.mark, section.FieldOf("after"),
                  "is missing; add the time after the start of the step before, such as 2m");
    if (after != nullptr) {
      TOCSIN_TRY(*step.mutable_wait_duration(), ReadDuration(section, "after"));
    }
    TOCSIN_TRY(const std::vector<YAML::Node> targets, ReadList(section, "targets", "target"));
    for (size_t i = 0; i < targets.size(); ++i) {
      const std::string target = section.FieldOf("targets[" + std::to_string(i) + ']');
      if (target_count_++ == kMaxPlanTargets)
        return Fail(targets[i].Mark(), target,
                    "exceeds the maximum of " + std::to_string(kMaxPlanTargets) +
                        " targets in all steps; remove it");
      TOCSIN_TRY(*step.add_targets(), ReadTarget(targets[i], target));
    }
    return step;
  }

  Result<v1::Target> ReadTarget(const YAML::Node& node, const std::string& field) {
    TOCSIN_TRY(const Section section, ReadSection(node, field, kTargetKeys));
    v1::Target target;
    TOCSIN_TRY(*target.mutable_person(), ReadPerson(section));
    TOCSIN_TRY(const std::string channel, ReadText(section, "channel"));
    if (const auto known = FindChoice(kChannels, channel)) {
      target.set_channel(*known);
    } else if (!channel.empty()) {
      return Fail(section.Find("channel")->value.Mark(), section.FieldOf("channel"),
                  "unknown channel; write " + NamesOf(kChannels, " or "));
    }
    TOCSIN_TRY(*target.mutable_to(), ReadNumber(section, target.person()));
    TOCSIN_TRY(*target.mutable_text(), ReadMessage(section));
    TOCSIN_TRY(*target.mutable_sender_id(), ReadText(section, "sender"));
    TOCSIN_CHECK_OK(ReadVoice(section, target));
    return target;
  }

  Result<std::string> ReadPerson(const Section& section) {
    const Entry* entry = section.Find("person");
    if (entry == nullptr)
      return Fail(section.mark, section.FieldOf("person"),
                  "is missing; add a reference to the person, such as a user id");
    TOCSIN_TRY(std::string person, ReadText(section, "person"));
    if (!CheckPerson(person, "person"))
      return Fail(entry->value.Mark(), section.FieldOf("person"),
                  "is not 1 to 64 printable ASCII characters without spaces; write a reference "
                  "such as a user id");
    persons_.insert(person);
    return person;
  }

  // Empty if an earlier target of the person has a number.
  Result<std::string> ReadNumber(const Section& section, const std::string& person) {
    TOCSIN_TRY(std::string to, ReadText(section, "to"));
    if (to.empty() && !persons_with_number_.contains(person))
      return Fail(section.mark, section.FieldOf("to"),
                  "is missing, and no earlier target of this person has a number; add to");
    if (to.empty()) return to;
    if (!Phone::Parse(to))
      return Fail(section.Find("to")->value.Mark(), section.FieldOf("to"),
                  "is not a possible phone number; write + and all digits from the country code "
                  "on (E.164)");
    persons_with_number_.insert(person);
    return to;
  }

  Result<std::string> ReadMessage(const Section& section) const {
    TOCSIN_TRY(std::string text, ReadText(section, "text"));
    if (text.empty() && !has_text_)
      return Fail(section.mark, section.FieldOf("text"),
                  "is missing; add text, or give a text for all targets with --text");
    if (text.empty()) return text;
    if (const Status checked = CheckText(text); !checked)
      return Fail(section.Find("text")->value.Mark(), section.FieldOf("text"),
                  checked.error().message + "; write a message of 1 to 1600 characters");
    return text;
  }

  Status ReadVoice(const Section& section, v1::Target& target) const {
    for (const std::string& key : kVoiceKeys)
      if (const Entry* entry = section.Find(key);
          entry != nullptr && target.channel() != v1::CHANNEL_VOICE)
        return Fail(entry->key, section.FieldOf(key),
                    "applies to calls only; remove it or write channel: voice");
    TOCSIN_TRY(const std::string language, ReadText(section, "language"));
    TOCSIN_TRY(const std::string voice, ReadText(section, "voice"));
    TOCSIN_TRY(const std::string detection, ReadText(section, "machine_detection"));
    if (!detection.empty() && detection != "true" && detection != "false")
      return Fail(section.Find("machine_detection")->value.Mark(),
                  section.FieldOf("machine_detection"), "is not a boolean; write true or false");
    if (language.empty() && voice.empty() && detection != "true") return {};
    target.mutable_voice()->set_language_code(language);
    target.mutable_voice()->set_voice(voice);
    target.mutable_voice()->set_machine_detection(detection == "true");
    return {};
  }

  Result<v1::Goal> ReadGoal(const Entry& entry) const {
    v1::Goal goal;
    if (entry.value.IsScalar()) {
      TOCSIN_TRY(const v1::Reach reach, ReadReach(entry.value, "goal"));
      goal.set_reach(reach);
      return goal;
    }
    TOCSIN_TRY(const Section section, ReadSection(entry.value, "goal", kGoalKeys));
    const Entry* reach = section.Find("reach");
    const Entry* acknowledged_by = section.Find("acknowledged_by");
    if (reach != nullptr && acknowledged_by != nullptr)
      return Fail(acknowledged_by->key, section.FieldOf("acknowledged_by"),
                  "excludes reach; remove one of the two");
    if (acknowledged_by != nullptr) {
      goal.set_reach(v1::REACH_ACKNOWLEDGED);
      TOCSIN_TRY(const int count, ReadPersonCount(section));
      goal.set_person_count(count);
    } else if (reach != nullptr) {
      TOCSIN_TRY(const v1::Reach read, ReadReach(reach->value, section.FieldOf("reach")));
      goal.set_reach(read);
    } else {
      return Fail(section.mark, section.field,
                  "has neither reach nor acknowledged_by; add one of the two");
    }
    const Entry* within = section.Find("within");
    if (within == nullptr) return goal;
    if (goal.reach() == v1::REACH_DELIVERED)
      return Fail(within->key, section.FieldOf("within"),
                  "is not allowed with the goal delivered; remove it, or write reach: human or "
                  "reach: acknowledged");
    TOCSIN_TRY(*goal.mutable_within(), ReadDuration(section, "within"));
    return goal;
  }

  Result<v1::Reach> ReadReach(const YAML::Node& node, const std::string& field) const {
    if (node.IsScalar())
      if (const auto known = FindChoice(kGoals, node.Scalar())) return *known;
    return Fail(node.Mark(), field, "unknown goal; write one of " + NamesOf(kGoals, ", "));
  }

  Result<int> ReadPersonCount(const Section& section) const {
    const std::string key = "acknowledged_by";
    TOCSIN_TRY(const std::string text, ReadText(section, key));
    const YAML::Mark mark = section.Find(key)->value.Mark();
    const size_t persons = persons_.size();
    const std::string fix =
        "; write " + (persons == 1 ? "1" : "a number from 1 to " + std::to_string(persons));
    const auto count = ParseNumber<size_t>(text);
    if (!count || *count == 0)
      return Fail(mark, section.FieldOf(key), "is not a number of persons" + fix);
    if (*count > persons)
      return Fail(mark, section.FieldOf(key),
                  "exceeds the number of persons in the plan" + fix + ", or add persons");
    return static_cast<int>(*count);
  }

  const std::string& path_;
  const bool has_text_;
  int target_count_ = 0;
  std::set<std::string> persons_;
  std::set<std::string> persons_with_number_;
};

}  // namespace

Result<v1::Plan> ParsePlan(const std::string& content, const std::string& path, bool has_text) {
  PlanReader reader(path, has_text);
  const YAML::Mark start = YAML::Mark::null_mark();
  if (content.size() > kMaxPlanBytes)
    return reader.Fail(start, "", "is larger than 64 KiB; shorten the file");
  if (!IsValidUtf8(content)) return reader.Fail(start, "", "is not UTF-8; save the file as UTF-8");
  try {
    if (const auto second = config::SecondYamlDocument(content))
      return reader.Fail(*second, "",
                         "text after the end of the document; remove it, and the line --- if there "
                         "is one");
    const YAML::Node root = YAML::Load(content);
    if (root.IsNull()) return reader.Fail(start, "", "is empty; add steps");
    return reader.Read(root);
  } catch (const YAML::Exception& error) {  // `msg` names the kind of error only
    return reader.Fail(error.mark, "",
                       "is not YAML: " + error.msg + "; correct the line, or the one before it");
  }
}

}  // namespace tocsin::cli
