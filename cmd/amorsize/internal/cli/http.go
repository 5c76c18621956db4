package cli

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/request"
)

// httpFlags say what to request.
type httpFlags struct {
	request.Config
	form     string
	mostBody string // as given
	metered  meteredFlags
}

func (f *httpFlags) group() group {
	g := newGroup("Request")
	s := g.set
	s.StringVarP(&f.Method, "method", "X", "", "the `method`, a template (default GET; POST with --body)")
	s.StringArrayVarP(&f.Headers, "header-line", "H", nil, "add the header `\"Name: value\"`, with placeholders")
	s.StringVar(&f.Body, "body", "", "the body: a `template`, or @file with one; {} is the item")
	s.StringVar(&f.BearerEnv, "bearer-env", "", "send the value of this environment `variable` as a bearer token")
	s.StringVar(&f.Cookies, "cookie", "", "send these cookies, as `name=value; name=value`, to the hosts of the items")
	s.BoolVar(&f.KeepCookies, "keep-cookies", false, "send back the cookies that servers set, each to its host, during the run")
	s.StringVar(&f.Connection.CACert, "cacert", "", "also trust the certificates of this `file` (PEM)")
	s.BoolVar(&f.Connection.Insecure, "insecure", false, "verify no certificates: anyone on the network path can read and change everything")
	s.StringVar(&f.OK, "ok", "200-299", "statuses that count as success: `200-299,404`")
	s.IntVar(&f.Connection.Max, "max-conns", 0, "at most this many connections to a host (default: no limit)")
	s.StringVar(&f.mostBody, "max-body", "1G", "fail items whose response body, decompressed, is larger: `bytes` such as 100M, 0 for no limit")
	s.BoolVar(&f.Connection.HTTP1, "http1", false, "don't use HTTP/2")
	s.StringVar(&f.form, "out", "body", "results are the `body`, the status, or jsonl: an object with item, status, time and body")
	s.StringVar(&f.IdempotencyKey, "idempotency-key", "", "send this `template` as Idempotency-Key, such as {#}; any method is then retried")
	s.BoolVar(&f.RetryUnsafe, "retry-post", false, "also retry methods that are not idempotent")
	s.BoolVar(&f.Raw, "no-escape", false, "put items into the URL without escaping them")
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
		Long: `Make a request per item, without a process for each. How many run at once is measured.

Placeholders are those of run; in the URL they are escaped, as a part of a path or
of a value in the query, unless the URL is {}.
A 429, or a 503 with Retry-After, pauses all requests for as long as the service
asks; RateLimit and X-RateLimit headers are respected. 408, 500, 502, 503, 504, 529
and lost connections are retried for idempotent methods. Statuses not in --ok are
failures; their bodies are not results.
Possible credentials (headers, --cookie, --bearer-env) are sent to the origin of the
item's URL only, not to another one that a server redirects to.`,
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
	groups := []group{f.input.group(), h.group(), h.metered.group(), f.size.group(false)}
	groups = append(groups, f.policy.groups(3, "8")...)
	addGroups(c, append(groups, f.output.group())...)
	f.grace = defaultGrace
}

func runHTTP(c *cobra.Command, f *runFlags, h *httpFlags, args []string, source *items.Source) error {
	argv, list, given := splitItems(args)
	if err := cmp.Or(oneURL(argv), f.output.resultsOnOutput()); err != nil {
		return err
	}
	f.policy.o.HTTP, f.size.batch = true, "1"
	f.policy.o.RateTokens, f.policy.o.Keyed = h.metered.rate, h.metered.key != ""
	cfg, env, err := f.open(c, "http", argv, list, given, source)
	if err != nil {
		return err
	}
	defer env.Close()
	if err := h.complete(argv[0]); err != nil {
		return err
	}
	spec, err := request.Parse(h.Config, env.Scope())
	if err != nil {
		return err
	}
	out, err := output.New(env.Terminal, f.output.config(false, false), env.Scope())
	if err != nil {
		return err
	}
	runner, err := request.New(spec, request.Surroundings{
		Limiter: cfg.Policies.Limiter, Tokens: cfg.Policies.Tokens, Breaker: cfg.Policies.BreakerPolicy, Timeout: env.Timeout(cfg.Policies.Timeout),
	})
	if err != nil {
		return err
	}
	defer runner.Close()
	if f.output.dryRun {
		return env.Preview(spec.Preview)
	}
	if h.Connection.Insecure {
		env.Terminal.Say("amorsize: --insecure: no certificate is verified: anyone on the network path can read and change what is sent and received")
	}
	if h.alike() {
		env.Terminal.Say("amorsize: no {} in the URL, the body or the headers: every item makes the same request")
	}
	cfg.What = spec.What()
	return runSession(cfg, env, out, runner)
}

// complete completes the request.
func (f *httpFlags) complete(url string) (err error) {
	f.URL, f.UserAgent, f.Form = url, "amorsize/"+version(), request.Form(f.form)
	if f.MaxBody, err = parseMost("max-body", f.mostBody); err != nil {
		return err
	}
	f.Key, f.Batch, f.Hedge = f.metered.key, f.metered.batch, f.metered.hedge
	f.Meter, err = f.metered.meter()
	return err
}

// alike reports whether no part of a request depends on its item.
func (f *httpFlags) alike() bool {
	if f.metered.batch || strings.HasPrefix(f.Body, "@") {
		return false
	}
	parts := append([]string{f.URL, f.Method, f.Body, f.Cookies}, f.Headers...)
	return !slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(part, "{") })
}

// oneURL refuses arguments that are not one URL.
func oneURL(argv []string) error {
	if len(argv) == 1 {
		return nil
	}
	hint := ""
	if len(argv) > 1 && slices.ContainsFunc(argv[1:], func(arg string) bool { return strings.HasPrefix(arg, "-") }) {
		hint = "; flags go before it"
	}
	return exit.Usagef("give one URL, with {} where the item goes%s; items follow ::: or come from standard input", hint)
}
