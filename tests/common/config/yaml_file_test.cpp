#include "common/config/yaml_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::config {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

auto FaultAt(int line, const std::string& key, const std::string& reason) {
  return AllOf(Field(&YamlFault::line, line), Field(&YamlFault::key, key),
               Field(&YamlFault::reason, HasSubstr(reason)));
}

TEST(YamlFileTest, BrokenYamlIsOneFaultWithItsLine) {
  const YamlFile file = ParseYaml("kafka_bootstrap: a:9092\nkafka: [unfinished\n");
  EXPECT_THAT(file.values, IsEmpty());
  ASSERT_THAT(file.faults, SizeIs(1));
  EXPECT_GE(file.faults[0].line, 2);
  EXPECT_THAT(file.faults[0].reason, HasSubstr("is not YAML"));
}

TEST(YamlFileTest, DuplicateKeysAreFaultsInAnyFormOfWriting) {
  const YamlFile file = ParseYaml(
      "kafka:\n  bootstrap: one\nlog_level: info\nlog_level: warn\nkafka_bootstrap: two\n");
  EXPECT_THAT(file.faults, ElementsAre(FaultAt(4, "log_level", "first in line 3"),
                                       FaultAt(5, "kafka_bootstrap", "first in line 2")));
}

TEST(YamlFileTest, WhatIsNoSettingIsAFaultWithItsLine) {
  const YamlFile file = ParseYaml("empty:\nUpper: x\n'a b': x\nlist: [{a: 1}]\n? [x]\n: y\n");
  EXPECT_THAT(file.faults, Contains(FaultAt(1, "empty", "no value")));
  EXPECT_THAT(file.faults, Contains(FaultAt(2, "Upper", "not a name")));
  EXPECT_THAT(file.faults, Contains(FaultAt(3, "a b", "not a name")));
  EXPECT_THAT(file.faults, Contains(FaultAt(4, "list", "no plain values")));
  EXPECT_THAT(file.faults, Contains(FaultAt(5, "(not a word)", "not a name")));
}

TEST(YamlFileTest, AListAtTheTopAndASecondDocumentAreRefused) {
  EXPECT_THAT(ParseYaml("- a\n- b\n").faults, ElementsAre(FaultAt(1, "", "not a table")));
  EXPECT_THAT(ParseYaml("a: 1\n---\nb: 2\n").faults, ElementsAre(FaultAt(3, "", "more than one")));
}

TEST(YamlFileTest, AliasesThatUnfoldWithoutEndAreCutOff) {
  EXPECT_FALSE(ParseYaml("a: &a\n  b: *a\n").faults.empty());
  std::string bomb = "a0: &a0 {x: 1}\n";
  for (int i = 1; i < 6; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {";
    for (char c = 'a'; c <= 'z'; ++c) bomb += std::string(1, c) + ": " + below + " , ";
    bomb += "z9: " + below + " }\n";
  }
  const YamlFile file = ParseYaml(bomb);
  EXPECT_LE(file.values.size() + file.faults.size(), kFileSettingLimit + 1);
  EXPECT_THAT(file.faults, Contains(Field(&YamlFault::reason, HasSubstr("holds more than"))));
}

TEST(YamlFileTest, DeepNestingNeverBreaksTheReader) {
  EXPECT_FALSE(ParseYaml("a: " + std::string(100'000, '[')).faults.empty());
  EXPECT_FALSE(ParseYaml("a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}").faults.empty());
}

TEST(YamlFileTest, SectionsAndListsAreFlattened) {  // O4
  const YamlFile file = ParseYaml("# ours\nkafka:\n  bootstrap: [a:1, b:2]\nlog_level: debug\n");
  EXPECT_THAT(file.faults, IsEmpty());
  EXPECT_EQ(file.values.at("kafka_bootstrap").text, "a:1,b:2");
  EXPECT_EQ(file.values.at("kafka_bootstrap").line, 3);
  EXPECT_EQ(file.values.at("log_level").text, "debug");
  EXPECT_THAT(ParseYaml("# only a comment\n").faults, IsEmpty());
  EXPECT_THAT(ParseYaml("").faults, IsEmpty());
}

}  // namespace
}  // namespace tocsin::config
