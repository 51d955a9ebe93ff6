#include "services/audit/projection/plan_terms.h"

#include <google/protobuf/util/json_util.h>

namespace tocsin::audit {
namespace {

// Of the recipient only what is shown.
void CopyShown(const records::v1::RecipientRef& from, records::v1::RecipientRef& to) {
  to.set_last_four(from.last_four());
  to.set_region_code(from.region_code());
}

}  // namespace

std::string PlanJson(const records::v1::WorkRecord& work) {
  if (!work.has_plan()) return {};
  records::v1::Plan plan;
  *plan.mutable_goal() = work.plan().goal();
  for (const records::v1::PlannedTarget& target : work.plan().targets()) {
    const bool first = plan.targets_size() == 0;
    records::v1::PlannedTarget& shown = *plan.add_targets();
    shown.set_plan_step(target.plan_step());
    shown.set_wait_us(target.wait_us());
    shown.set_person(target.person());
    shown.set_channel(target.channel());
    CopyShown(first ? work.recipient() : target.recipient(), *shown.mutable_recipient());
  }
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  // A message of known fields is always printed.
  (void)google::protobuf::util::MessageToJsonString(plan, &json, options);
  return json;
}

records::v1::Plan ParsePlan(const std::string& json) {
  records::v1::Plan plan;
  if (json.empty()) return plan;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // of a later version
  (void)google::protobuf::util::JsonStringToMessage(json, &plan, options);
  return plan;
}

}  // namespace tocsin::audit
