// What this version writes can be read by the version before, as far as protobuf allows it: fields
// that it does not know are ignored, but it knows every value of every enum. O7
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/wire/recorded.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Values that the version before does not know, as "full.name.of.VALUE", each with the reason why
// that version decides nothing by them.
const std::set<std::string> kNewValues = {
    // It stops the attempts by any acknowledgement, and shows these two as "Acknowledged".
    "tocsin.v1.ACKNOWLEDGEMENT_METHOD_LINK",
    "tocsin.v1.ACKNOWLEDGEMENT_METHOD_REPLY",
    // Its workers write a dead letter. Only alerts with a plan have such records: see kNewKinds.
    "tocsin.records.v1.WORK_KIND_DEADLINE",
};

// Kinds of events that the version before ignores. Only alerts with a plan have them, and only the
// ingress accepts plans: it is upgraded last (docs/operations.md).
const std::set<std::string> kNewKinds = {
    "tocsin.records.v1.Event.goal_missed",
    "tocsin.records.v1.Event.declined",
    "tocsin.records.v1.Event.plan_exhausted",
};

constexpr int kNesting = 4;  // of messages in a record

class PreviousReaderTest : public testing::Test {
 protected:
  PreviousReaderTest() {
    google::protobuf::FileDescriptorSet described;
    EXPECT_TRUE(described.ParseFromString(ReadDescriptors()));
    for (const auto& file : described.file()) EXPECT_NE(pool.BuildFile(file), nullptr);
  }

  google::protobuf::DescriptorPool pool;
  google::protobuf::DynamicMessageFactory factory{&pool};
};

void Fill(Message& message, int depth);

void SetValue(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return reflection.SetInt32(&message, field, -7);
    case FieldDescriptor::CPPTYPE_INT64: return reflection.SetInt64(&message, field, 1LL << 50);
    case FieldDescriptor::CPPTYPE_UINT32: return reflection.SetUInt32(&message, field, 7);
    case FieldDescriptor::CPPTYPE_UINT64: return reflection.SetUInt64(&message, field, 7);
    case FieldDescriptor::CPPTYPE_DOUBLE: return reflection.SetDouble(&message, field, 0.5);
    case FieldDescriptor::CPPTYPE_FLOAT: return reflection.SetFloat(&message, field, 0.5F);
    case FieldDescriptor::CPPTYPE_BOOL: return reflection.SetBool(&message, field, true);
    case FieldDescriptor::CPPTYPE_STRING: return reflection.SetString(&message, field, "text");
    case FieldDescriptor::CPPTYPE_ENUM: return reflection.SetEnumValue(&message, field, 1);
    case FieldDescriptor::CPPTYPE_MESSAGE: return;
  }
}

// Sets each field; of a oneof the last one remains.
void Fill(Message& message, int depth) {
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (depth == 0) continue;
      Fill(field->is_repeated() ? *reflection.AddMessage(&message, field)
                                : *reflection.MutableMessage(&message, field),
           depth - 1);
    } else if (!field->is_repeated()) {
      SetValue(message, field);
    }
  }
}

// The values of the enums in a message that the version before does not know. An enum may have
// moved to another package: the field decides.
void AddNewValues(const Descriptor& type, const Descriptor& known,
                  std::set<const Descriptor*>& seen, std::set<const EnumDescriptor*>& enums,
                  std::set<std::string>& added) {
  if (!seen.insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* const field = known.FindFieldByNumber(type.field(i)->number());
    if (field == nullptr) continue;
    if (const EnumDescriptor* const values = type.field(i)->enum_type()) {
      enums.insert(values);
      for (int v = 0; v < values->value_count(); ++v)
        if (field->enum_type()->FindValueByNumber(values->value(v)->number()) == nullptr)
          added.insert(values->value(v)->full_name());
    }
    if (type.field(i)->message_type() != nullptr)
      AddNewValues(*type.field(i)->message_type(), *field->message_type(), seen, enums, added);
  }
}

std::vector<const Descriptor*> StoredMessages() {
  return {records::v1::WorkRecord::descriptor(),    records::v1::Event::descriptor(),
          records::v1::WebhookRecord::descriptor(), records::v1::DeadLetterRecord::descriptor(),
          records::v1::ConsentRecord::descriptor(), records::v1::Content::descriptor(),
          records::v1::AttemptResult::descriptor(), records::v1::Position::descriptor()};
}

TEST_F(PreviousReaderTest, ReadsEveryFieldThatItKnows) {
  for (const Descriptor* type : StoredMessages()) {
    const Descriptor* known = pool.FindMessageTypeByName(type->full_name());
    ASSERT_NE(known, nullptr) << type->full_name();
    const std::unique_ptr<Message> written(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    Fill(*written, kNesting);
    const std::unique_ptr<Message> read(factory.GetPrototype(known)->New());
    ASSERT_TRUE(read->ParseFromString(written->SerializeAsString())) << type->full_name();
    std::vector<const FieldDescriptor*> present;
    read->GetReflection()->ListFields(*read, &present);
    std::set<int> numbers;
    for (const FieldDescriptor* field : present) numbers.insert(field->number());
    std::vector<const FieldDescriptor*> sent;
    written->GetReflection()->ListFields(*written, &sent);
    for (const FieldDescriptor* field : sent) {
      if (known->FindFieldByNumber(field->number()) != nullptr) {
        EXPECT_TRUE(numbers.contains(field->number())) << field->full_name();
      }
    }
  }
}

TEST_F(PreviousReaderTest, KnowsEveryValueOfEveryEnum) {
  std::set<const Descriptor*> seen;
  std::set<const EnumDescriptor*> enums;
  std::set<std::string> added;
  for (const Descriptor* type : StoredMessages())
    AddNewValues(*type, *pool.FindMessageTypeByName(type->full_name()), seen, enums, added);
  EXPECT_GE(enums.size(), 10U);
  EXPECT_EQ(added, kNewValues);
}

// An event of an unknown kind would be ignored.
TEST_F(PreviousReaderTest, KnowsEveryKindOfEvent) {
  const auto* known = pool.FindMessageTypeByName("tocsin.records.v1.Event");
  const auto* kinds = records::v1::Event::descriptor()->FindOneofByName("fact");
  std::set<std::string> added;
  for (int i = 0; i < kinds->field_count(); ++i)
    if (known->FindFieldByNumber(kinds->field(i)->number()) == nullptr)
      added.insert(kinds->field(i)->full_name());
  EXPECT_EQ(added, kNewKinds);
}

}  // namespace
}  // namespace tocsin::wire
