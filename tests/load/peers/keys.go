package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	keyPrefix = "peer.key."
	keyLife   = 24 * time.Hour
	admitted  = "admitted" // the broker may have the alert
	accepted  = "accepted" // the broker has it
)

// keys are the idempotency keys of accepted alerts, in Redis.
type keys struct{ client rueidis.Client }

// admission is what Redis knows of a key: the first alert with it, the digest of its request, and its state.
type admission struct{ alertID, digest, state string }

func (a admission) String() string { return a.alertID + " " + a.digest + " " + a.state }

func parseAdmission(text string) admission {
	words := strings.SplitN(text, " ", 3)
	if len(words) != 3 {
		return admission{}
	}
	return admission{words[0], words[1], words[2]}
}

func digestOf(request []byte) string {
	sum := sha256.Sum256(request)
	return hex.EncodeToString(sum[:])
}

// admit stores the admission unless the key is known, and returns the one that is stored then.
func (k *keys) admit(ctx context.Context, key string, first admission) (admission, error) {
	known, err := k.client.Do(ctx, k.client.B().Set().Key(keyPrefix+key).Value(first.String()).Nx().Get().
		PxMilliseconds(keyLife.Milliseconds()).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return first, nil
	}
	return parseAdmission(known), err
}

// confirm notes that the broker has the alert.
func (k *keys) confirm(ctx context.Context, key string, alert admission) error {
	alert.state = accepted
	return k.client.Do(ctx, k.client.B().Set().Key(keyPrefix+key).Value(alert.String()).Xx().Keepttl().Build()).Error()
}
