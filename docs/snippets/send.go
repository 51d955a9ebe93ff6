// Sends one alert and says what became of it.
//
//	source .tocsin/env && go run . pump-3-2026-01-31 +15558675309 "Pump 3 has stopped"
//
// scripts/lib/go_snippet.sh makes the stubs and builds it.
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
	callLimit = 5 * time.Second
	tries     = 5
)

func dial(setting string) *grpc.ClientConn {
	channel, err := grpc.Dial(os.Getenv(setting), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	return channel
}

// waitOf reads RetryInfo; a second when there is none.
func waitOf(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.RetryDelay.AsDuration()
		}
	}
	return time.Second
}

// enqueue repeats what may be repeated: the same key again is the same alert, never a second one.
func enqueue(ctx context.Context, request *tocsin.EnqueueRequest) (*tocsin.EnqueueResponse, error) {
	door := tocsin.NewAlertServiceClient(dial("TOCSIN_INGRESS_GRPC"))
	for left := tries; ; left-- {
		limited, cancel := context.WithTimeout(ctx, callLimit)
		taken, err := door.Enqueue(limited, request)
		cancel()
		if err == nil || status.Code(err) != codes.Unavailable || left == 1 {
			return taken, err
		}
		time.Sleep(waitOf(err))
	}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: send KEY NUMBER TEXT")
	}
	key, err := os.ReadFile(os.Getenv("TOCSIN_API_KEY_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(),
		"authorization", "Bearer "+strings.TrimSpace(string(key)))
	taken, err := enqueue(ctx, &tocsin.EnqueueRequest{IdempotencyKey: os.Args[1], To: os.Args[2], Text: os.Args[3]})
	if err != nil {
		log.Fatalf("not accepted: %v", err)
	}
	fmt.Println("accepted", taken.AlertId)
	books := tocsin.NewStatusServiceClient(dial("TOCSIN_AUDIT_GRPC"))
	question := &tocsin.GetAlertRequest{AlertId: taken.AlertId, MinPosition: taken.Position} // reads what was just written
	limited, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	answer, err := books.GetAlert(limited, question)
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range answer.Alert.Timeline {
		fmt.Println(entry.What)
	}
}
