package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"flag"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	tocsin "example.org/peers/tocsin/v1"
)

const (
	alertIDHeader = "alert-id"
	maxText       = 1600
	drainTimeout  = 10 * time.Second
	rpcTimeout    = 10 * time.Second
)

// enqueueServer implements the Enqueue method of Tocsin's AlertService: it returns when the broker has the alert.
type enqueueServer struct {
	tocsin.UnimplementedAlertServiceServer
	client        *kgo.Client
	keys          *keys // nil: idempotency keys are ignored
	authorization []byte
}

func (s *enqueueServer) Enqueue(ctx context.Context, request *tocsin.EnqueueRequest) (*tocsin.EnqueueResponse, error) {
	if !s.authorized(ctx) {
		return nil, status.Error(codes.Unauthenticated, "invalid API key")
	}
	if !validPhone(request.GetTo()) {
		return nil, status.Error(codes.InvalidArgument, "to: is not a phone number in E.164 form")
	}
	if len(request.GetText()) == 0 || len(request.GetText()) > maxText {
		return nil, status.Error(codes.InvalidArgument, "text: must have 1 to 1600 bytes")
	}
	value, err := proto.Marshal(request)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	id, err := newID()
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	if s.keys != nil && request.GetIdempotencyKey() != "" {
		return s.enqueueOnce(ctx, request.GetIdempotencyKey(), id, value)
	}
	return s.publish(ctx, id, value)
}

func (s *enqueueServer) publish(ctx context.Context, id string, value []byte) (*tocsin.EnqueueResponse, error) {
	record := alertRecord(id, value)
	if err := s.client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &tocsin.EnqueueResponse{AlertId: id, CreateTime: timestamppb.New(record.Timestamp), SegmentCount: 1}, nil
}

// enqueueOnce publishes the alert unless an earlier request with the key did.
func (s *enqueueServer) enqueueOnce(ctx context.Context, key, id string, value []byte) (*tocsin.EnqueueResponse, error) {
	digest := digestOf(value)
	first, err := s.keys.admit(ctx, key, admission{alertID: id, digest: digest, state: admitted})
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	if first.digest != digest {
		return nil, status.Error(codes.AlreadyExists, "idempotency_key: was used with another request")
	}
	if first.state == accepted {
		return &tocsin.EnqueueResponse{AlertId: first.alertID, SegmentCount: 1, Replayed: true}, nil
	}
	response, err := s.publish(ctx, first.alertID, value)
	if err != nil {
		return nil, err
	}
	if err := s.keys.confirm(ctx, key, first); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	response.Replayed = first.alertID != id
	return response, nil
}

func (s *enqueueServer) authorized(ctx context.Context) bool {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	return len(values) == 1 && subtle.ConstantTimeCompare([]byte(values[0]), s.authorization) == 1
}

func alertRecord(id string, value []byte) *kgo.Record {
	return &kgo.Record{Topic: alertsTopic, Value: value,
		Headers: []kgo.RecordHeader{{Key: alertIDHeader, Value: []byte(id)}}}
}

func validPhone(to string) bool {
	if len(to) < 8 || len(to) > 16 || to[0] != '+' {
		return false
	}
	for _, digit := range to[1:] {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return true
}

func newID() (string, error) {
	var bytes [16]byte
	if _, err := rand.Read(bytes[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(bytes[:]), nil
}

func runEnqueue(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("enqueue", flag.ContinueOnError)
	address := flags.String("address", "", "host:port of the gRPC server")
	checking := flags.Bool("keys", false, "check idempotency keys in Redis")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	var known *keys
	if *checking {
		store, err := newRedis()
		if err != nil {
			return err
		}
		defer store.Close()
		known = &keys{store}
	}
	key, err := secret("TOCSIN_API_KEY_FILE")
	if err != nil {
		return err
	}
	client, err := newClient(ctx, kgo.DefaultProduceTopic(alertsTopic))
	if err != nil {
		return err
	}
	defer client.Close()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ConnectionTimeout(5*time.Second), grpc.MaxRecvMsgSize(64<<10),
		grpc.NumStreamWorkers(8),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 10 * time.Second}))
	tocsin.RegisterAlertServiceServer(server, &enqueueServer{client: client, keys: known, authorization: []byte("Bearer " + key)})
	go func() {
		<-ctx.Done()
		timer := time.AfterFunc(drainTimeout, server.Stop)
		defer timer.Stop()
		server.GracefulStop()
	}()
	return server.Serve(listener)
}
