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

auto ErrorAt(int line, const std::string& key, const std::string& reason) {
  return AllOf(Field(&YamlError::line, line), Field(&YamlError::key, key),
               Field(&YamlError::reason, HasSubstr(reason)));
}

TEST(YamlFileTest, InvalidYamlIsOneErrorWithItsLine) {
  const YamlFile file = ParseYaml("kafka_bootstrap: a:9092\nkafka: [unfinished\n");
  EXPECT_THAT(file.values, IsEmpty());
  ASSERT_THAT(file.errors, SizeIs(1));
  EXPECT_GE(file.errors[0].line, 2);
  EXPECT_THAT(file.errors[0].reason, HasSubstr("is not YAML"));
}

TEST(YamlFileTest, DuplicateKeysAreErrorsNestedOrFlat) {
  const YamlFile file = ParseYaml(
      "kafka:\n  bootstrap: one\nlog_level: info\nlog_level: warn\nkafka_bootstrap: two\n");
  EXPECT_THAT(file.errors, ElementsAre(ErrorAt(4, "log_level", "first in line 3"),
                                       ErrorAt(5, "kafka_bootstrap", "first in line 2")));
}

TEST(YamlFileTest, InvalidEntriesAreErrorsWithTheirLines) {
  const YamlFile file = ParseYaml("empty:\nUpper: x\n'a b': x\nlist: [{a: 1}]\n? [x]\n: y\n");
  EXPECT_THAT(file.errors, Contains(ErrorAt(1, "empty", "no value")));
  EXPECT_THAT(file.errors, Contains(ErrorAt(2, "Upper", "not the name")));
  EXPECT_THAT(file.errors, Contains(ErrorAt(3, "a b", "not the name")));
  EXPECT_THAT(file.errors, Contains(ErrorAt(4, "list", "not plain")));
  EXPECT_THAT(file.errors, Contains(ErrorAt(5, "(not a string)", "not the name")));
}

TEST(YamlFileTest, RefusesAListAtTheTopAndASecondDocument) {
  EXPECT_THAT(ParseYaml("- a\n- b\n").errors, ElementsAre(ErrorAt(1, "", "not a map")));
  EXPECT_THAT(ParseYaml("a: 1\n---\nb: 2\n").errors, ElementsAre(ErrorAt(2, "", "after the end")));
}

// YAML::LoadAll() of yaml-cpp 0.7 never returns for these.
TEST(YamlFileTest, RefusesATextThatBeginsWithAComma) {
  for (const char* text : {",", ", a: 1\n", ",,\n", "# a comment\n, a: 1\n"})
    EXPECT_THAT(ParseYaml(text).errors, SizeIs(1)) << text;
  EXPECT_THAT(ParseYaml("a: 1\n---\n, b: 2\n").errors, SizeIs(1));
  EXPECT_THAT(ParseYaml(", a: 1\n").errors, ElementsAre(ErrorAt(1, "", "after the end")));
}

TEST(YamlFileTest, LimitsTheExpansionOfAliases) {
  EXPECT_FALSE(ParseYaml("a: &a\n  b: *a\n").errors.empty());
  std::string bomb = "a0: &a0 {x: 1}\n";
  for (int i = 1; i < 6; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {";
    for (char c = 'a'; c <= 'z'; ++c) bomb += std::string(1, c) + ": " + below + " , ";
    bomb += "z9: " + below + " }\n";
  }
  const YamlFile file = ParseYaml(bomb);
  EXPECT_LE(file.values.size() + file.errors.size(), kFileSettingLimit + 1);
  EXPECT_THAT(file.errors, Contains(Field(&YamlError::reason, HasSubstr("has more than"))));
}

TEST(YamlFileTest, RefusesDeepNesting) {
  EXPECT_FALSE(ParseYaml("a: " + std::string(100'000, '[')).errors.empty());
  EXPECT_FALSE(ParseYaml("a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}").errors.empty());
}

TEST(YamlFileTest, FlattensSectionsAndLists) {  // O4
  const YamlFile file = ParseYaml("# ours\nkafka:\n  bootstrap: [a:1, b:2]\nlog_level: debug\n");
  EXPECT_THAT(file.errors, IsEmpty());
  EXPECT_EQ(file.values.at("kafka_bootstrap").text, "a:1,b:2");
  EXPECT_EQ(file.values.at("kafka_bootstrap").line, 3);
  EXPECT_EQ(file.values.at("log_level").text, "debug");
  EXPECT_THAT(ParseYaml("# only a comment\n").errors, IsEmpty());
  EXPECT_THAT(ParseYaml("").errors, IsEmpty());
}

}  // namespace
}  // namespace tocsin::config
