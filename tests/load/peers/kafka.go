package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	alertsTopic   = "peer.alerts"
	eventsTopic   = "peer.events"
	webhooksTopic = "peer.webhooks"
	partitions    = 12 // as Tocsin's topics
	kafkaTimeout  = 10 * time.Second
)

// newClient connects to the broker and creates the topics. Records are produced idempotently and with acks=all, which
// are the defaults of franz-go, to a partition that changes with each batch.
func newClient(ctx context.Context, options ...kgo.Opt) (*kgo.Client, error) {
	bootstrap, err := environment("TOCSIN_KAFKA_BOOTSTRAP")
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.ProduceRequestTimeout(kafkaTimeout),
		kgo.RecordDeliveryTimeout(kafkaTimeout),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	}, options...)...)
	if err != nil {
		return nil, err
	}
	if err := createTopics(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

func createTopics(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	replicas, err := replicationFactor()
	if err != nil {
		return err
	}
	minInSync := strconv.Itoa((int(replicas) + 1) / 2)
	request := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range []string{alertsTopic, eventsTopic, webhooksTopic} {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic = name
		topic.NumPartitions = partitions
		topic.ReplicationFactor = replicas
		topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "min.insync.replicas", Value: &minInSync}}
		request.Topics = append(request.Topics, topic)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("topics could not be created: %w", err)
	}
	for _, topic := range response.Topics {
		err := kerr.ErrorForCode(topic.ErrorCode)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("topic %s could not be created: %w", topic.Topic, err)
		}
	}
	return nil
}

// replicationFactor is that of Tocsin's topics.
func replicationFactor() (int16, error) {
	text := os.Getenv("TOCSIN_KAFKA_REPLICATION")
	if text == "" {
		return 1, nil
	}
	replicas, err := strconv.ParseInt(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("TOCSIN_KAFKA_REPLICATION: %w", err)
	}
	return int16(replicas), nil
}
