package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/remote"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// job is what is done to an item: a command or a request. Items and results travel, the job does not: a worker does
// what its own command line says, whoever may write to the database.
type job struct {
	name    string
	url     string
	fn      string // PKG.Func
	rate    string
	retries int
	timeout time.Duration
	most    int
	argv    []string

	ends []func() // what is to be called when no item is under way any more
}

func (j *job) flags(c *cobra.Command) {
	c.Flags().StringVar(&j.name, "name", "", "the job's name; a worker processes the runs of its job name (default: the program's or function's name, or http)")
	c.Flags().StringVar(&j.rate, "rate", "", "limit the rate of calls, over all workers together: 50/s, 3000/m or 10/h")
	c.Flags().IntVar(&j.retries, "retries", 0, "how often a worker retries a failed item; see also: runs retry")
	c.Flags().DurationVar(&j.timeout, "timeout", 0, "the time limit of an item")
	c.Flags().IntVarP(&j.most, "jobs", "j", 0, "at most this many items in flight in this process (default: measured)")
}

// kinds are the flags that say what is done instead of a command.
func (j *job) kinds(c *cobra.Command) {
	c.Flags().StringVar(&j.url, "url", "", "request this URL for each item, instead of a command; {} is the item")
	c.Flags().StringVar(&j.fn, "go", "", "call this Go function with each item, instead of a command: PKG.Func")
}

// given says whether there is something to do.
func (j *job) given() bool { return j.url != "" || j.fn != "" || len(j.argv) > 0 }

// close ends what the job has started.
func (j *job) close() {
	for _, end := range j.ends {
		end()
	}
}

// maxOutput bounds a result: it travels through the database.
const maxOutput = remote.DefaultResultBytes / 2

// textOf has results that are no text fail: they travel as JSON, which would change them.
func textOf(do func(context.Context, string) (string, error)) func(context.Context, string) (string, error) {
	return func(ctx context.Context, item string) (string, error) {
		result, err := do(ctx, item)
		if err == nil && !utf8.ValidString(result) {
			return "", retry.Permanent(errors.New("the result is not UTF-8: results must be text; write it to a file, or as base64"))
		}
		return result, err
	}
}

// tooMuch is the error of a result that is larger.
func tooMuch(what string) error {
	return retry.Permanent(fmt.Errorf("%s more than %d bytes: results travel through the database", what, maxOutput))
}

// register makes the job known as a function.
func (j *job) register(ctx context.Context, cluster *remote.Cluster) (*remote.Func[string, string], error) {
	rate, err := policies.ParseRate(j.rate)
	if err = cmp.Or(err, j.check(rate)); err != nil {
		return nil, err
	}
	do, name, err := j.function(ctx)
	if err != nil {
		return nil, err
	}
	if j.name == "" {
		j.name = name
	}
	var opts []amorsize.Option
	if j.most > 0 {
		opts = append(opts, amorsize.WithMaxWorkers(j.most))
	}
	if j.timeout > 0 {
		opts = append(opts, amorsize.WithItemTimeout(j.timeout))
	}
	if j.retries > 0 {
		r, err := retry.New(retry.Policy{MaxRetries: j.retries})
		if err != nil {
			return nil, err
		}
		opts = append(opts, amorsize.WithPolicies(r))
	}
	if rate.PerSecond > 0 {
		limit, err := remote.Limiter(cluster, j.name, ratelimit.Policy{RequestsPerSecond: rate.PerSecond})
		if err != nil {
			return nil, err
		}
		opts = append(opts, amorsize.WithPolicies(limit))
	}
	return remote.RegisterContext(j.name, textOf(do), opts...), nil
}

func (j *job) check(rate policies.Rate) error {
	if rate.Auto {
		return fmt.Errorf("%w: --rate auto is for one process: give a number, such as 50/s", errUsage)
	}
	for flag, bad := range map[string]bool{"--jobs": j.most < 0, "--retries": j.retries < 0, "--timeout": j.timeout < 0} {
		if bad {
			return fmt.Errorf("%w: %s must not be negative", errUsage, flag)
		}
	}
	if j.url != "" && !strings.HasPrefix(j.url, "http://") && !strings.HasPrefix(j.url, "https://") {
		return fmt.Errorf("%w: --url must begin with http:// or https://", errUsage)
	}
	return nil
}

func (j *job) function(ctx context.Context) (do func(context.Context, string) (string, error), name string, err error) {
	switch {
	case j.url != "" && j.fn != "", (j.url != "" || j.fn != "") && len(j.argv) > 0:
		return nil, "", fmt.Errorf("%w: give one of --url, --go and a command", errUsage)
	case j.fn != "":
		return j.goFunction(ctx)
	case j.url != "":
		t, err := template.Parse(j.url, template.Scope{})
		if err != nil {
			return nil, "", err
		}
		connections := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one: with proxies and timeouts
		connections.MaxIdleConns, connections.MaxIdleConnsPerHost = 0, 1024
		client := &http.Client{Transport: connections}
		return func(ctx context.Context, item string) (string, error) { return get(ctx, client, t, item) }, "http", nil
	case len(j.argv) > 0:
		command, err := template.ParseCommand(j.argv, template.Scope{}, false)
		if err != nil {
			return nil, "", err
		}
		return func(ctx context.Context, item string) (string, error) { return execute(ctx, command, item) }, filepath.Base(j.argv[0]), nil
	}
	// nobody works here; the name says who does
	return func(context.Context, string) (string, error) { return "", errors.New("no job here") }, "", nil
}

// execute runs the command for an item, and returns what it wrote.
func execute(ctx context.Context, command template.Command, item string) (string, error) {
	argv, err := command.Expand([]items.Item{items.Of(0, item)}, 1)
	if err != nil {
		return "", retry.Permanent(err)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	alone(cmd)
	cmd.WaitDelay = 5 * time.Second
	var out, complaints bounded
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err = cmd.Run(); errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has ended well, and left a process that holds its output
	}
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case out.over:
		return "", tooMuch("it wrote")
	case err != nil:
		words := strings.TrimSpace(complaints.String())
		if len(words) > 500 {
			words = "…" + words[len(words)-500:]
		}
		if words == "" {
			return "", err
		}
		return "", fmt.Errorf("%w: %s", err, words)
	}
	return out.String(), nil
}

// bounded keeps what is written, up to a bound.
type bounded struct {
	bytes.Buffer
	over bool
}

func (b *bounded) Write(data []byte) (int, error) {
	if b.Len()+len(data) > maxOutput {
		b.over = true
		return len(data), nil // the command may go on
	}
	return b.Buffer.Write(data)
}

// get requests the URL for an item, and returns the body.
func get(ctx context.Context, client *http.Client, url template.Template, item string) (string, error) {
	address, err := url.Expand(items.Of(0, item), 1, pathEscape)
	if err != nil {
		return "", retry.Permanent(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", retry.Permanent(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if err := transport.Check(response); err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxOutput+1))
	if err == nil && len(body) > maxOutput {
		err = tooMuch("the body has")
	}
	return string(body), err
}

func newWorker() *cobra.Command {
	var where place
	var what job
	c := &cobra.Command{
		Use:   "worker --on DATABASE --name NAME [flags] -- COMMAND [ARGUMENT...]",
		Short: "Process the items of all runs of a job, until stopped",
		Long: `Process the items of all runs of the job --name, until stopped. Any number of workers
may run, on any number of machines. A worker that dies is noticed within seconds, and
its items are run again elsewhere: an item runs at least once, and its result counts
once.`,
		RunE: func(c *cobra.Command, args []string) error {
			if what.argv = args; !what.given() {
				return fmt.Errorf("%w: a worker needs a command, --url or --go", errUsage)
			}
			cluster, err := where.open(c)
			if err != nil {
				return err
			}
			defer cluster.Close()
			defer what.close()
			if _, err := what.register(c.Context(), cluster); err != nil {
				return err
			}
			return remote.Work(c.Context(), cluster)
		},
	}
	where.flags(c)
	what.flags(c)
	what.kinds(c)
	return c
}
