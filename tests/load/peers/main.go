// Program peers has three services that do the work of a part of Tocsin, as a good engineer would write them in a day,
// and a client. tests/load/run --peers measures them beside Tocsin. README.md lists what they do not guarantee.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Each takes the arguments after its name and returns when the context ends.
var commands = map[string]func(ctx context.Context, arguments []string) error{
	"enqueue":  runEnqueue,
	"fill":     runFill,
	"webhooks": runWebhooks,
	"worker":   runWorker,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: peers enqueue|fill|webhooks|worker [--help]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := commands[os.Args[1]](ctx, os.Args[2:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "peers %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// environment returns the value of a variable of the stack's env file.
func environment(name string) (string, error) {
	value := os.Getenv(name)
	if value == "" {
		return "", fmt.Errorf("%s is not set; source the env file of the stack", name)
	}
	return value, nil
}

// secret returns the content of the file that a variable names.
func secret(name string) (string, error) {
	path, err := environment(name)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(content)), nil
}
