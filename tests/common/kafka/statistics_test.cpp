#include "common/kafka/statistics.h"

#include <gtest/gtest.h>

namespace tocsin::kafka {
namespace {

TEST(StatisticsTest, ReturnsNothingForTextThatIsNotAJsonObject) {
  EXPECT_FALSE(ParseStatistics(""));
  EXPECT_FALSE(ParseStatistics("{"));
  EXPECT_FALSE(ParseStatistics("[1]"));
}

TEST(StatisticsTest, KeepsDefaultsOfMissingMembers) {
  const auto statistics = ParseStatistics(R"({"client_id": 7, "brokers": [], "topics": null})");
  ASSERT_TRUE(statistics);
  EXPECT_EQ(statistics->client_id, "");
  EXPECT_EQ(statistics->queued, 0);
  EXPECT_TRUE(statistics->partitions.empty());
}

TEST(StatisticsTest, SumsErrorsAndTakesTheMaximumLatencyOfTheBrokers) {
  const auto statistics = ParseStatistics(R"({
    "client_id": "ingress", "msg_cnt": 5, "msg_max": 20000, "replyq": 2,
    "brokers": {
      "a": {"txerrs": 1, "req_timeouts": 2, "rtt": {"p99": 700}, "int_latency": {"p99": 90}},
      "b": {"txerrs": 3, "req_timeouts": 4, "rtt": {"p99": 900}, "outbuf_latency": {"p99": 5}}},
    "topics": {"t": {"partitions": {
      "0": {"partition": 0, "consumer_lag": 11, "fetchq_cnt": 3, "msgs_inflight": 1},
      "-1": {"partition": -1, "consumer_lag": -1}}}},
    "cgrp": {"rebalance_cnt": 6, "assignment_size": 12, "join_state": "steady"},
    "eos": {"idemp_state": "Assigned"}})");
  ASSERT_TRUE(statistics);
  EXPECT_EQ(statistics->client_id, "ingress");
  EXPECT_EQ(statistics->queued, 5);
  EXPECT_EQ(statistics->queue_limit, 20'000);
  EXPECT_EQ(statistics->reply_queue, 2);
  EXPECT_EQ(statistics->send_errors, 4);
  EXPECT_EQ(statistics->request_timeouts, 6);
  EXPECT_EQ(statistics->round_trip_p99, 900);
  EXPECT_EQ(statistics->in_client_p99, 90);
  EXPECT_EQ(statistics->output_buffer_p99, 5);
  ASSERT_EQ(statistics->partitions.size(), 1U);
  EXPECT_EQ(statistics->partitions[0].consumer_lag, 11);
  EXPECT_EQ(statistics->partitions[0].fetch_queue, 3);
  EXPECT_EQ(statistics->partitions[0].in_flight, 1);
  EXPECT_EQ(statistics->rebalances, 6);
  EXPECT_EQ(statistics->assigned_partitions, 12);
  EXPECT_EQ(statistics->join_state, "steady");
  EXPECT_EQ(statistics->idempotence_state, "Assigned");
}

}  // namespace
}  // namespace tocsin::kafka
