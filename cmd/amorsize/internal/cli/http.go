package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/request"
)

// httpFlags say what is requested.
type httpFlags struct {
	method    string
	headers   []string
	body      string
	bearer    string
	ok        string
	conns     int
	http1     bool
	out       string
	key       string
	retryPost bool
	raw       bool
	mostBody  string
	cookie    string
	keep      bool
	cacert    string
	insecure  bool
}

func (f *httpFlags) group() group {
	g := newGroup("Request")
	s := g.set
	s.StringVarP(&f.method, "method", "X", "", "the `method`, a template (default GET, with --body POST)")
	s.StringArrayVarP(&f.headers, "header-line", "H", nil, "a `\"Name: value\"` with placeholders")
	s.StringVar(&f.body, "body", "", "the body: a `template`, or @file with one; {} is the item")
	s.StringVar(&f.bearer, "bearer-env", "", "send the value of this environment `variable` as a bearer token")
	s.StringVar(&f.cookie, "cookie", "", "send these cookies, as `name=value; name=value`, to the hosts of the items")
	s.BoolVar(&f.keep, "keep-cookies", false, "send back what servers set as cookies, each to its host, for as long as the run lasts")
	s.StringVar(&f.cacert, "cacert", "", "trust the certificates of this `file` (PEM), too")
	s.BoolVar(&f.insecure, "insecure", false, "verify no certificates: whoever is on the way can read and change everything")
	s.StringVar(&f.ok, "ok", "200-299", "statuses that are a success: `200-299,404`")
	s.IntVar(&f.conns, "max-conns", 0, "no more connections to a host (default: no bound)")
	s.StringVar(&f.mostBody, "max-body", "1G", "fail items whose response body is larger, decompressed: `bytes` as 100M, 0 for no bound")
	s.BoolVar(&f.http1, "http1", false, "don't use HTTP/2")
	s.StringVar(&f.out, "out", "body", "results are the `body`, the status, or jsonl: an object with item, status, time and body")
	s.StringVar(&f.key, "idempotency-key", "", "send this `template` as Idempotency-Key, which makes any method worth a retry: {#}")
	s.BoolVar(&f.retryPost, "retry-post", false, "retry methods that are not idempotent, too")
	s.BoolVar(&f.raw, "no-escape", false, "put items into the URL as they are")
	g.are(ofUser, "method", "header-line", "body", "bearer-env", "cookie", "keep-cookies", "cacert", "insecure", "ok", "http1", "out",
		"idempotency-key", "retry-post", "no-escape")
	g.are(ofAnyone, "max-conns", "max-body")
	return g
}

func newHTTP() *cobra.Command {
	var f runFlags
	var h httpFlags
	c := &cobra.Command{
		Use:   "http [flags] URL-template [::: item...]",
		Short: "Make a request per item, without a process for each",
		Long: `Make a request per item, without a process for each, as many at a time as pay.

Placeholders are those of run; in the URL they are escaped, as a part of a path or
of a value in the query, unless the URL is {}.
A 429, and a 503 with Retry-After, holds back all requests for as long as the
service asks; RateLimit and X-RateLimit headers are heeded. 408, 500, 502, 503,
504 and lost connections are retried for methods that are idempotent. Statuses
that are not --ok are failures; their bodies are not results.
What may be a credential (headers, --cookie, --bearer-env) is for the origin of the
item's URL and no other one that a server redirects to.`,
		Example: `  amorsize http --rate 50/s 'https://api.example.com/v1/users/{}' < ids
  amorsize http -a urls -k --out status {}
  amorsize http --csv --header -a calls.csv -X '{method}' 'https://api.example.com/{path}'
  amorsize http --jsonl --body @order.json --idempotency-key '{id}' https://api.example.com/orders < orders`,
		RunE: func(c *cobra.Command, args []string) error { return runHTTP(c, &f, &h, args, nil) },
	}
	bindHTTP(c, &f, &h)
	return c
}

func bindHTTP(c *cobra.Command, f *runFlags, h *httpFlags) {
	groups := []group{f.input.group(), h.group(), f.size.group(false)}
	groups = append(groups, f.policy.groups(3, "8")...)
	addGroups(c, append(groups, f.output.group())...)
	f.grace = defaultGrace
}

func runHTTP(c *cobra.Command, f *runFlags, h *httpFlags, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	if len(argv) != 1 {
		hint := ""
		if len(argv) > 1 && slices.ContainsFunc(argv[1:], func(arg string) bool { return strings.HasPrefix(arg, "-") }) {
			hint = "; flags go before it"
		}
		return exit.Usagef("want one URL, with {} where the item goes%s; items follow ::: or come from standard input", hint)
	}
	if f.output.json && f.output.results == "" {
		return exit.Usagef("--json writes the summary to standard output, where results go: add --results DIR, or write it to a file with --summary FILE")
	}
	f.policy.o.HTTP, f.size.batch = true, "1"
	cfg, in, err := f.check(c, "http", argv, list, given)
	if err != nil {
		return err
	}
	env, err := f.open(in, source)
	if err != nil {
		return err
	}
	defer env.Close()
	what, err := h.config(argv[0])
	if err != nil {
		return err
	}
	spec, err := request.Parse(what, env.Scope())
	if err != nil {
		return err
	}
	out, err := output.New(env.Terminal, f.output.config(false, false), env.Scope())
	if err != nil {
		return err
	}
	runner, err := request.New(spec, request.Surroundings{
		Limiter: cfg.Policies.Limiter, Breaker: cfg.Policies.BreakerPolicy, Timeout: env.Timeout(cfg.Policies.Timeout),
	})
	if err != nil {
		return err
	}
	defer runner.Close()
	if f.output.dryRun {
		return env.Preview(spec.Preview)
	}
	if h.insecure {
		env.Terminal.Say("amorsize: --insecure: no certificate is verified: whoever is on the way can read and change what is sent and received")
	}
	cfg.What = spec.What()
	return runSession(cfg, env, out, runner)
}

// config returns what is requested.
func (f *httpFlags) config(url string) (request.Config, error) {
	most, err := parseMost("max-body", f.mostBody)
	return request.Config{
		URL: url, Raw: f.raw, Method: f.method, Headers: f.headers, Body: f.body, BearerEnv: f.bearer, Cookies: f.cookie,
		KeepCookies: f.keep, IdempotencyKey: f.key, UserAgent: "amorsize/" + version(),
		Connection: request.Connection{Max: f.conns, HTTP1: f.http1, CACert: f.cacert, Insecure: f.insecure},
		OK:         f.ok, Form: request.Form(f.out), MaxBody: most, RetryUnsafe: f.retryPost,
	}, err
}
