package main

import (
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

const redisTimeout = 2 * time.Second

// newRedis returns a client that sends the commands of all goroutines over one connection.
func newRedis() (rueidis.Client, error) {
	address, err := environment("TOCSIN_REDIS_URL")
	if err != nil {
		return nil, err
	}
	options, err := rueidis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("TOCSIN_REDIS_URL: %w", err)
	}
	options.DisableCache = true
	options.ConnWriteTimeout = redisTimeout
	return rueidis.NewClient(options)
}
