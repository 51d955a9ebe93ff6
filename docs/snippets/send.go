// Sends one alert and prints its timeline. The same key again is the same alert, never a second one.
//
//	source .tocsin/env && go run . pump-3-2026-01-31 +15558675309 "Pump 3 has stopped"
//
// scripts/lib/go_snippet.sh generates the stubs and builds it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tocsin "example.org/send/tocsin/v1"
)

const (
	timeout     = 5 * time.Second
	maxAttempts = 5
)

func setting(name string) string {
	value, found := os.LookupEnv(name)
	if !found {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func dial(address string) *grpc.ClientConn {
	channel, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	return channel
}

// retryDelay reads RetryInfo of the error's details; one second if there is none.
func retryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.RetryDelay.AsDuration()
		}
	}
	return time.Second
}

// enqueue retries: with an idempotency key the alert is accepted once.
func enqueue(ctx context.Context, request *tocsin.EnqueueRequest) (*tocsin.EnqueueResponse, error) {
	alertStub := tocsin.NewAlertServiceClient(dial(setting("TOCSIN_INGRESS_GRPC")))
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, timeout)
		response, err := alertStub.Enqueue(limited, request)
		cancel()
		if status.Code(err) != codes.Unavailable || attempt == maxAttempts {
			return response, err
		}
		time.Sleep(retryDelay(err))
	}
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: send KEY NUMBER TEXT")
		os.Exit(2)
	}
	apiKey, err := os.ReadFile(setting("TOCSIN_API_KEY_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(),
		"authorization", "Bearer "+strings.TrimSpace(string(apiKey)))
	response, err := enqueue(ctx, &tocsin.EnqueueRequest{IdempotencyKey: os.Args[1], To: os.Args[2], Text: os.Args[3]})
	if err != nil {
		log.Fatalf("not accepted: %v", err)
	}
	fmt.Println("accepted", response.AlertId)
	statusStub := tocsin.NewStatusServiceClient(dial(setting("TOCSIN_AUDIT_GRPC")))
	// With the consistency token the read includes what was just written.
	request := &tocsin.GetAlertRequest{AlertId: response.AlertId, ConsistencyToken: response.ConsistencyToken}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	alert, err := statusStub.GetAlert(limited, request)
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range alert.Timeline {
		fmt.Println(entry.Description)
	}
}
