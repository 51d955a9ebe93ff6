#include "common/redis/settings.h"

#include <gtest/gtest.h>

#include <sstream>

#include "common/redis/server_info.h"

namespace tocsin::redis {
namespace {

TEST(SettingsTest, ParsesAllPartsOfAUrl) {
  const auto settings = ParseUrl("redis://ops:p%40ss%2F:@redis.internal:6380/3");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->user, "ops");
  EXPECT_EQ(settings->password.Reveal(), "p@ss/:");
  EXPECT_EQ(settings->host, "redis.internal");
  EXPECT_EQ(settings->port, 6380);
  EXPECT_EQ(settings->database, 3);
}

TEST(SettingsTest, UsesDefaultsForMissingParts) {
  for (const char* url : {"redis://localhost", "redis://localhost/", "redis://localhost:6379/0"}) {
    const auto settings = ParseUrl(url);
    ASSERT_TRUE(settings) << url;
    EXPECT_EQ(settings->host, "localhost");
    EXPECT_EQ(settings->port, 6379);
    EXPECT_EQ(settings->database, 0);
    EXPECT_TRUE(settings->password.empty());
    EXPECT_EQ(settings->pool_size, 20u);  // R8
  }
}

TEST(SettingsTest, ParsesAnIpv6Address) {
  const auto settings = ParseUrl("redis://:secret@[::1]:7000/1");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->host, "::1");
  EXPECT_EQ(settings->port, 7000);
}

struct Malformed {
  const char* name;
  const char* url;
};

class MalformedUrl : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedUrl, IsRejectedWithoutShowingThePassword) {
  const auto settings = ParseUrl(GetParam().url);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(settings.error().field, "TOCSIN_REDIS_URL");
  EXPECT_EQ(settings.error().message.find("hunter2"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, MalformedUrl,
    ::testing::Values(Malformed{"Empty", ""}, Malformed{"OtherScheme", "http://localhost"},
                      Malformed{"Tls", "rediss://:hunter2@localhost"},
                      Malformed{"NoHost", "redis://:hunter2@:6379"},
                      Malformed{"NoPort", "redis://:hunter2@localhost:"},
                      Malformed{"PortZero", "redis://:hunter2@localhost:0"},
                      Malformed{"PortTooHigh", "redis://:hunter2@localhost:65536"},
                      Malformed{"PortNotANumber", "redis://localhost:hunter2"},
                      Malformed{"DatabaseNotANumber", "redis://:hunter2@localhost/x"},
                      Malformed{"NoColonBeforePassword", "redis://hunter2@localhost"},
                      Malformed{"IncompletePercentEncoding", "redis://:hunter2%4@localhost"},
                      Malformed{"InvalidPercentEncoding", "redis://:hunter2%zz@localhost"},
                      Malformed{"NoClosingBracket", "redis://:hunter2@[::1:6379"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ServerInfoTest, ListsAllErrors) {
  const std::string errors = ConfigErrors(
      ParseInfo("# Server\r\nredis_version:6.2.1\r\nrun_id:a\r\nmaxmemory_policy:allkeys-lru\r\n"
                "aof_enabled:0\r\nrole:slave\r\nmaster_replid:b\r\n"));
  for (const char* word : {"6.2.1", "master", "appendonly", "allkeys-lru", "noeviction"})
    EXPECT_NE(errors.find(word), std::string::npos) << word << " in " << errors;
}

TEST(ServerInfoTest, AcceptsADurableServer) {
  const ServerInfo info = ParseInfo(
      "redis_version:7.0.15\r\nrun_id:a\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"
      "role:master\r\nmaster_replid:b\r\n");
  EXPECT_EQ(ConfigErrors(info), "");
  EXPECT_EQ(info.identity, "a/b");
}

}  // namespace
}  // namespace tocsin::redis
