// librdkafka's mock broker, in this process. It drops acknowledged records beyond 5 MiB per
// partition and supports no admin requests: only for fault injection.
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/kafka/settings.h"

namespace tocsin::kafka {

class MockCluster {
 public:
  MockCluster()
      : client_(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nullptr, 0)),
        cluster_(rd_kafka_mock_cluster_new(client_, 1)) {}
  ~MockCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  KafkaSettings Settings() const {
    KafkaSettings settings;
    settings.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster_);
    return settings;
  }
  void CreateTopic(const std::string& name, int partitions) {
    rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1);
  }
  void Down() { rd_kafka_mock_broker_set_down(cluster_, 1); }
  void Up() { rd_kafka_mock_broker_set_up(cluster_, 1); }
  // The next request for a producer id fails, which is fatal for an idempotent producer.
  void FailNextInitProducerId() {
    constexpr std::int16_t kInitProducerId = 22;  // API key
    rd_kafka_mock_push_request_errors(cluster_, kInitProducerId, 1,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
  }
  // Default: as if the broker had lost the producer's sequence numbers, which is fatal, and the
  // records may have been written.
  void FailNextProduce(rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER) {
    constexpr std::int16_t kProduce = 0;  // API key
    rd_kafka_mock_push_request_errors(cluster_, kProduce, 1, error);
  }
  // The broker regards the next member that joins as replaced by another with its instance id.
  void FenceNextJoin() {
    constexpr std::int16_t kJoinGroup = 11;  // API key
    rd_kafka_mock_push_request_errors(cluster_, kJoinGroup, 1,
                                      RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
  }
  // As a broker that was cut off and still believes that it leads the partitions.
  void FailNextFetches(size_t count) {
    constexpr std::int16_t kFetch = 1;  // API key
    const std::vector<rd_kafka_resp_err_t> errors(count, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    rd_kafka_mock_push_request_errors_array(cluster_, kFetch, count, errors.data());
  }
  void SetRoundTrip(int ms) { rd_kafka_mock_broker_set_rtt(cluster_, 1, ms); }

 private:
  rd_kafka_t* client_;
  rd_kafka_mock_cluster_t* cluster_;
};

}  // namespace tocsin::kafka
