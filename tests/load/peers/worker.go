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
)

// event is what the worker publishes before and after a POST.
type event struct {
	AlertID string    `json:"alert_id"`
	Kind    string    `json:"kind"` // sending, sent or failed
	SID     string    `json:"sid,omitempty"`
	Error   string    `json:"error,omitempty"`
	Time    time.Time `json:"time"`
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
	reports := make(chan error, 2)
	id := alertID(next.record)
	w.publish(event{AlertID: id, Kind: "sending"}, reports)
	result := event{AlertID: id, Kind: "sent"}
	var request tocsin.EnqueueRequest
	err := proto.Unmarshal(next.record.Value, &request)
	if err == nil {
		result.SID, err = w.postWithRetries(&request)
	}
	if err != nil {
		result.Kind, result.Error = "failed", err.Error()
	}
	w.publish(result, reports)
	for i := 0; i < cap(reports); i++ {
		if err := <-reports; err != nil {
			// The offset is not marked: after a restart the alert is read again.
			select {
			case w.stopError <- fmt.Errorf("event was not stored: %w", err):
			default:
			}
			return
		}
	}
	close(next.done)
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
	w.client.Produce(context.Background(), &kgo.Record{Topic: eventsTopic, Value: value},
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
