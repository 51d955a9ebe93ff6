package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	tocsin "example.org/peers/tocsin/v1"
)

const (
	workerGroup     = "peer-worker"
	sender          = "+15017122661"
	maxAttempts     = 4
	retryDelay      = 500 * time.Millisecond
	connectTimeout  = 3 * time.Second
	postTimeout     = 30 * time.Second
	maxTwilioAnswer = 64 << 10
	commitInterval  = time.Second
	// The POSTs in flight end before, unless they are repeated.
	workerDrainTimeout = postTimeout + 5*time.Second
	claimLease         = postTimeout + 5*time.Second
	// Of the names of claims, so that a worker with a new group can claim the same alerts.
	claimPrefix = "peer.claim."
)

// event is what the worker publishes before and after a POST.
type event struct {
	AlertID string    `json:"alert_id"`
	Kind    string    `json:"kind"` // sending, sent or failed
	SID     string    `json:"sid,omitempty"`
	Error   string    `json:"error,omitempty"`
	Time    time.Time `json:"time"`
}

// claims are the attempts that a worker has begun, in Redis. A nil *claims grants everything.
type claims struct{ client rueidis.Client }

func newClaims() (*claims, error) {
	client, err := newRedis()
	if err != nil {
		return nil, err
	}
	return &claims{client}, nil
}

// claim returns false if another worker has the alert.
func (c *claims) claim(id string) (bool, error) {
	if c == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	command := c.client.B().Set().Key(claimPrefix + id).Value("begun").Nx().
		PxMilliseconds(claimLease.Milliseconds()).Build()
	err := c.client.Do(ctx, command).Error()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	return err == nil, err
}

// save replaces the claim by the result of the alert.
func (c *claims) save(id, result string) error {
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	return c.client.Do(ctx, c.client.B().Set().Key(claimPrefix+id).Value(result).
		PxMilliseconds(claimLease.Milliseconds()).Build()).Error()
}

// errRefused is the response of Twilio to a request that must not be repeated.
var errRefused = errors.New("refused by Twilio")

// alert is a record in delivery. done is closed after its events are on disk.
type alert struct {
	record *kgo.Record
	done   chan struct{}
}

// worker reads alerts, POSTs them to Twilio, publishes two events for each, and commits the offsets in order.
type worker struct {
	client    *kgo.Client
	http      *http.Client
	url       string
	account   string
	token     string
	callback  string
	claims    *claims
	slots     chan struct{} // of the POSTs in flight
	queues    map[int32]chan *alert
	inFlight  sync.WaitGroup
	stopError chan error
}

func (w *worker) run(ctx context.Context) error {
	for {
		fetches := w.client.PollRecords(ctx, 4*cap(w.slots))
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, failure := range fetches.Errors() {
			log.Printf("fetch of %s/%d: %v", failure.Topic, failure.Partition, failure.Err)
		}
		for records := fetches.RecordIter(); !records.Done(); {
			if err := w.start(ctx, records.Next()); err != nil {
				return err
			}
		}
		w.client.AllowRebalance()
	}
}

// drain waits for the alerts in flight. One whose events could not be stored never ends.
func (w *worker) drain() {
	ended := make(chan struct{})
	go func() {
		w.inFlight.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(workerDrainTimeout):
		log.Print("alerts are still in flight; they will be read again")
	}
}

// start waits for a free slot.
func (w *worker) start(ctx context.Context, record *kgo.Record) error {
	select {
	case w.slots <- struct{}{}:
	case err := <-w.stopError:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	queue, ok := w.queues[record.Partition]
	if !ok {
		queue = make(chan *alert, cap(w.slots))
		w.queues[record.Partition] = queue
		go w.markInOrder(queue)
	}
	next := &alert{record: record, done: make(chan struct{})}
	w.inFlight.Add(1)
	queue <- next // has room for all slots
	go w.deliver(next)
	return nil
}

// markInOrder marks an offset for the next commit when all before it are done.
func (w *worker) markInOrder(queue chan *alert) {
	for next := range queue {
		<-next.done
		w.client.MarkCommitRecords(next.record)
		<-w.slots
		w.inFlight.Done()
	}
}

func (w *worker) deliver(next *alert) {
	if err := w.deliverAndRecord(next); err != nil {
		// The offset is not marked: after a restart the alert is read again.
		select {
		case w.stopError <- err:
		default:
		}
		return
	}
	close(next.done)
}

// deliverAndRecord returns when both events are on disk. With claims the first one is on disk before the POST.
func (w *worker) deliverAndRecord(next *alert) error {
	reports := make(chan error, 2)
	id := alertID(next.record)
	if granted, err := w.claims.claim(id); err != nil || !granted {
		return err
	}
	w.publish(event{AlertID: id, Kind: "sending"}, reports)
	awaited := 2
	if w.claims != nil {
		if err := <-reports; err != nil {
			return fmt.Errorf("event was not stored: %w", err)
		}
		awaited--
	}
	result := event{AlertID: id, Kind: "sent"}
	var request tocsin.EnqueueRequest
	err := proto.Unmarshal(next.record.Value, &request)
	if err == nil {
		result.SID, err = w.postWithRetries(&request)
	}
	if err != nil {
		result.Kind, result.Error = "failed", err.Error()
	}
	if err := w.claims.save(id, result.Kind); err != nil {
		return err
	}
	w.publish(result, reports)
	for ; awaited > 0; awaited-- {
		if err := <-reports; err != nil {
			return fmt.Errorf("event was not stored: %w", err)
		}
	}
	return nil
}

func alertID(record *kgo.Record) string {
	for _, header := range record.Headers {
		if header.Key == alertIDHeader {
			return string(header.Value)
		}
	}
	return ""
}

func (w *worker) publish(e event, reports chan<- error) {
	e.Time = time.Now().UTC()
	value, err := json.Marshal(e)
	if err != nil {
		reports <- err
		return
	}
	record := &kgo.Record{Topic: eventsTopic, Value: value}
	if w.claims != nil {
		record.Key = []byte(e.AlertID) // the events of an alert are in order
	}
	w.client.Produce(context.Background(), record,
		func(_ *kgo.Record, err error) { reports <- err })
}

func (w *worker) postWithRetries(request *tocsin.EnqueueRequest) (sid string, err error) {
	for attempt := 1; ; attempt++ {
		sid, err = w.post(request)
		if err == nil || errors.Is(err, errRefused) || attempt == maxAttempts {
			return sid, err
		}
		time.Sleep(retryDelay << attempt)
	}
}

func (w *worker) post(request *tocsin.EnqueueRequest) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), postTimeout)
	defer cancel()
	form := url.Values{"To": {request.GetTo()}, "From": {sender}, "Body": {request.GetText()}}
	if w.callback != "" {
		form.Set("StatusCallback", w.callback)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	post.SetBasicAuth(w.account, w.token)
	response, err := w.http.Do(post)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTwilioAnswer))
	if err != nil {
		return "", err
	}
	switch {
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500:
		return "", fmt.Errorf("status %d", response.StatusCode)
	case response.StatusCode != http.StatusCreated:
		return "", fmt.Errorf("%w: status %d", errRefused, response.StatusCode)
	}
	var message struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return "", fmt.Errorf("%w: response: %v", errRefused, err)
	}
	return message.SID, nil
}

func newTransport(inFlight int) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		MaxIdleConns:        inFlight,
		MaxIdleConnsPerHost: inFlight,
		MaxConnsPerHost:     inFlight,
		IdleConnTimeout:     60 * time.Second,
	}
}

// runWorker needs the environment of a stack. SSL_CERT_FILE names the certificate authorities.
func runWorker(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	inFlight := flags.Int("in-flight", 256, "largest number of POSTs in flight")
	callback := flags.String("callback", "", "URL of the status callbacks")
	claiming := flags.Bool("claims", false, "claim each alert in Redis, and await its first event before the POST")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	base, err := environment("TOCSIN_TWILIO_BASE_URL")
	if err != nil {
		return err
	}
	account, err := environment("TOCSIN_TWILIO_ACCOUNT_SID")
	if err != nil {
		return err
	}
	token, err := secret("TOCSIN_TWILIO_AUTH_TOKEN_FILE")
	if err != nil {
		return err
	}
	w := &worker{
		http:      &http.Client{Transport: newTransport(*inFlight)},
		url:       base + "/2010-04-01/Accounts/" + account + "/Messages.json",
		account:   account,
		token:     token,
		callback:  *callback,
		slots:     make(chan struct{}, *inFlight),
		queues:    map[int32]chan *alert{},
		stopError: make(chan error, 1),
	}
	if *claiming {
		if w.claims, err = newClaims(); err != nil {
			return err
		}
		defer w.claims.client.Close()
	}
	w.client, err = newClient(ctx,
		kgo.ConsumerGroup(workerGroup), kgo.ConsumeTopics(alertsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitInterval),
		kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(time.Second),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, _ map[string][]int32) {
			w.drain()
			if err := client.CommitMarkedOffsets(ctx); err != nil {
				log.Printf("offsets were not committed: %v", err)
			}
		}))
	if err != nil {
		return err
	}
	err = w.run(ctx)
	w.client.CloseAllowingRebalance() // leaves the group, which commits
	return err
}
