package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const maxWebhookBytes = 64 << 10

// webhookHandler accepts Twilio's status callbacks: it responds when the broker has the callback.
type webhookHandler struct {
	client    *kgo.Client
	publicURL string
	token     []byte
}

func (h *webhookHandler) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		http.Error(response, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, maxWebhookBytes))
	if err != nil {
		http.Error(response, "body could not be read", http.StatusBadRequest)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		http.Error(response, "body could not be parsed", http.StatusBadRequest)
		return
	}
	if !validSignature(h.token, h.publicURL+request.RequestURI, form, request.Header.Get("X-Twilio-Signature")) {
		http.Error(response, "invalid signature", http.StatusForbidden)
		return
	}
	if err := h.client.ProduceSync(request.Context(), &kgo.Record{Topic: webhooksTopic, Value: body}).FirstErr(); err != nil {
		http.Error(response, "not stored", http.StatusServiceUnavailable)
		return
	}
	response.WriteHeader(http.StatusNoContent)
}

// validSignature compares with Base64(HMAC-SHA1(token, URL + each name and value in the order of names)).
func validSignature(token []byte, address string, form url.Values, signature string) bool {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	sort.Strings(names)
	var text strings.Builder
	text.WriteString(address)
	for _, name := range names {
		for _, value := range form[name] {
			text.WriteString(name)
			text.WriteString(value)
		}
	}
	mac := hmac.New(sha1.New, token)
	io.WriteString(mac, text.String())
	expected := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(expected), []byte(signature))
}

func runWebhooks(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("webhooks", flag.ContinueOnError)
	address := flags.String("address", "", "host:port of the HTTP server")
	publicURL := flags.String("public-url", os.Getenv("TOCSIN_PUBLIC_BASE_URL"), "base URL that the signature covers")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	token, err := secret("TOCSIN_TWILIO_AUTH_TOKEN_FILE")
	if err != nil {
		return err
	}
	client, err := newClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	server := &http.Server{
		Addr:              *address,
		Handler:           &webhookHandler{client: client, publicURL: *publicURL, token: []byte(token)},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       6 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       75 * time.Second,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		stopped <- server.Shutdown(drain)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
