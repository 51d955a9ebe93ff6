#include "tools/twilio-sim/messages/message_list.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace tocsin::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

class MessageListTest : public testing::Test {
 protected:
  MessageListTest() {
    for (int i = 1; i <= 7; ++i) {
      MessageDraft draft{.to = i % 2 == 0 ? "+15145550002" : "+15145550001",
                         .from = "+15017122661",
                         .body = "x",
                         .segments = 1};
      messages.Create(draft, {}, queues, kNow);
    }
  }

  ListPage Page(const std::string& query, WallTime until = kNow) {
    const auto parameters = FormDecode(query, 32);
    last_query = *ParseListQuery(*parameters);
    return List(messages, 0, last_query, until);
  }

  nlohmann::json Members(const ListPage& page) {
    return nlohmann::json::parse("{" +
                                 PageMembers("/M.json", last_query, page,
                                             [this](std::uint64_t number) {
                                               return messages.SidOf(*messages.Find(number));
                                             }) +
                                 "}");
  }

  // The query of a page's address in the members.
  static std::string QueryOf(const nlohmann::json& uri) {
    const std::string text = uri.get<std::string>();
    return text.substr(text.find('?') + 1);
  }

  SenderQueues queues;
  Messages messages{7, Timing{}, 100};
  ListQuery last_query;
};

TEST_F(MessageListTest, ReturnsPagesNewestFirst) {
  const ListPage first = Page("PageSize=3");
  EXPECT_THAT(first.numbers, ElementsAre(7, 6, 5));
  nlohmann::json members = Members(first);
  EXPECT_TRUE(members["previous_page_uri"].is_null());
  const ListPage second = Page(QueryOf(members["next_page_uri"]));
  EXPECT_THAT(second.numbers, ElementsAre(4, 3, 2));
  members = Members(second);
  EXPECT_EQ(members["page"], 1);
  EXPECT_EQ(members["start"], 3);
  EXPECT_EQ(members["end"], 5);
  const std::string back = QueryOf(members["previous_page_uri"]);
  const ListPage third = Page(QueryOf(members["next_page_uri"]));
  EXPECT_THAT(third.numbers, ElementsAre(1));
  EXPECT_TRUE(Members(third)["next_page_uri"].is_null());
  EXPECT_THAT(Page(back).numbers, ElementsAre(7, 6, 5));
}

TEST_F(MessageListTest, IsStableWhenAMessageArrivesBetweenPages) {
  const ListPage first = Page("PageSize=3");
  const std::string next = QueryOf(Members(first)["next_page_uri"]);
  messages.Create({.to = "+15145550009", .from = "+15017122661"}, {}, queues, kNow);
  EXPECT_THAT(Page(next).numbers, ElementsAre(4, 3, 2));
}

TEST_F(MessageListTest, FiltersByToAndRepeatsTheFilterInTheNextPageUri) {
  const ListPage page = Page("To=%2B15145550002&PageSize=2");
  EXPECT_THAT(page.numbers, ElementsAre(6, 4));
  const std::string next = QueryOf(Members(page)["next_page_uri"]);
  EXPECT_THAT(next, testing::HasSubstr("To=%2B15145550002"));
  EXPECT_THAT(Page(next).numbers, ElementsAre(2));
  EXPECT_THAT(Page("To=%2B15145550077").numbers, IsEmpty());
}

TEST_F(MessageListTest, ExcludesUnsentMessagesWithADateFilter) {
  EXPECT_THAT(Page("DateSent=2026-11-21").numbers, IsEmpty());
  const std::vector<std::string> pool;
  messages.Advance(kNow + std::chrono::seconds(1), queues,
                   [&](size_t) -> const std::vector<std::string>& { return pool; });
  EXPECT_THAT(Page("DateSent=2026-11-21").numbers, testing::SizeIs(7));
  EXPECT_THAT(Page("DateSent%3C=2026-11-20").numbers, IsEmpty());
  EXPECT_THAT(Page("DateSent%3C=2026-11-21").numbers, testing::SizeIs(7));
  EXPECT_THAT(Page("DateSent%3E=2026-11-22").numbers, IsEmpty());
  EXPECT_THAT(Page("DateSent%3E=2026-11-21T00:00:00Z").numbers, testing::SizeIs(7));
}

TEST_F(MessageListTest, ClampsPageSizesAndRefusesInvalidDates) {
  Page("PageSize=5000");
  EXPECT_EQ(last_query.page_size, kMaxPageSize);
  Page("");
  EXPECT_EQ(last_query.page_size, kDefaultPageSize);
  EXPECT_FALSE(ParseListQuery({{"DateSent", "yesterday"}}));
}

TEST_F(MessageListTest, OmitsTheNewestMessagesWithALag) {
  EXPECT_THAT(Page("", kNow - std::chrono::seconds(1)).numbers, IsEmpty());
}

}  // namespace
}  // namespace tocsin::sim
