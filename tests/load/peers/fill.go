package main

import (
	"context"
	"flag"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"google.golang.org/protobuf/proto"

	tocsin "example.org/peers/tocsin/v1"
)

// runFill writes alerts for the worker, like those of tocsin-load, and returns when the broker has them all.
func runFill(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("fill", flag.ContinueOnError)
	count := flags.Int("count", 10_000, "alerts")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	client, err := newClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	var failed error
	var once sync.Once
	for number := 0; number < *count; number++ {
		value, err := proto.Marshal(&tocsin.EnqueueRequest{
			To: fmt.Sprintf("+1514555%04d", number%10_000), Text: fmt.Sprintf("load %d", number)})
		if err != nil {
			return err
		}
		id, err := newID()
		if err != nil {
			return err
		}
		client.Produce(ctx, alertRecord(id, value), func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return failed
}
