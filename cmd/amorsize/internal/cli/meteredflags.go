package cli

import (
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

// meteredFlags are for services that have a limit for each key, or on what calls cost, or
// send a bill.
type meteredFlags struct {
	usage.Config
	rate  string // of what calls cost
	key   string
	batch bool
	hedge bool
}

func (f *meteredFlags) group() group {
	g := newGroup("Metered services")
	s := g.set
	s.BoolVar(&f.batch, "batch-file", false, "items are the lines of a batch file for models (custom_id, method, url, body, or params), made one by one of the URL's host; results have that form, too")
	s.StringVar(&f.rate, "rate-tokens", "", "no more of what calls cost than that: `90000/m`")
	s.StringVar(&f.Cost, "cost", "", "where an answer says what it has cost: a `path` in its JSON (default the usage that models tell)")
	s.StringVar(&f.Estimate, "estimate", "", "what a call may cost, before it is known: a `number`, or a path in the item's JSON (default what calls have cost so far)")
	s.StringVar(&f.Price, "price", "", "what a million tokens cost, for the summary: `in=2.50,out=10`")
	s.StringVar(&f.key, "key", "", "rates hold, and breakers open, for each `{host}`, or another template of the item; items of a key that waits let others pass")
	s.BoolVar(&f.hedge, "hedge", false, "send a request a second time that takes longer than 95 % of them do, for up to 5 % of them, if that does no harm")
	g.are(ofUser, "batch-file", "rate-tokens", "cost", "estimate", "price", "key", "hedge")
	return g
}

// meter returns what reads what calls cost, nil if nobody asks.
func (f *meteredFlags) meter() (*usage.Meter, error) {
	if f.rate == "" && f.Cost == "" && f.Price == "" && !f.batch {
		if f.Estimate != "" {
			return nil, exit.Usagef("--estimate needs --rate-tokens")
		}
		return nil, nil
	}
	return usage.New(f.Config)
}
