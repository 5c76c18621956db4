package usage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

func meter(t *testing.T, c usage.Config) *usage.Meter {
	t.Helper()
	m, err := usage.New(c)
	require.NoError(t, err)
	return m
}

// What an answer says that it has cost, in whatever words.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		path, answer string
		want         float64
	}{
		{"", `{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`, 7},
		{"", `{"usage":{"input_tokens":3,"output_tokens":5}}`, 8},
		{"", `{"usage":{"input_tokens":3}}`, 3},
		{"", `{"usage":{"output_tokens":5}}`, 5},
		{"", `{"usage":{"prompt_tokens":0,"completion_tokens":0}}`, -1},
		{"", `{"usage":null}`, -1},
		{"", `no JSON`, -1},
		{"", ``, -1},
		{"cost", `{"cost":1.5}`, 1.5},
		{".cost", `{"cost":"2"}`, 2},
		{"a.b.c", `{"a":{"b":{"c":9}}}`, 9},
		{"a.1.b", `{"a":[{"b":1},{"b":2}]}`, 2},
		{"a.2.b", `{"a":[{"b":1},{"b":2}]}`, -1},
		{"a.-1", `{"a":[1]}`, -1},
		{"a.x", `{"a":[1]}`, -1},
		{"a.b", `{"a":5}`, -1},
		{"a", `{"a":-1}`, -1},
		{"a", `{"a":0}`, 0},
		{"a", `{"a":true}`, -1},
		{"a", `{}`, -1},
		{"a", `{"a":1e999}`, -1},
	} {
		m := meter(t, usage.Config{Cost: c.path})
		require.Equal(t, c.want, m.Read([]byte(c.answer)), "%s of %s", c.path, c.answer)
		require.Equal(t, c.want >= 0, m.Total().Calls == 1, "%s of %s", c.path, c.answer)
	}
}

// An estimate is what is said, or what calls have cost so far, or a guess.
func TestEstimate(t *testing.T) {
	require.Equal(t, 0.5, meter(t, usage.Config{Estimate: "0.5"}).Estimate(nil, 1000))
	require.Equal(t, 12.5, meter(t, usage.Config{Estimate: "12.5"}).Estimate(nil, 1000))
	m := meter(t, usage.Config{Estimate: "limits.tokens"})
	require.Equal(t, 70.0, m.Estimate([]byte(`{"limits":{"tokens":70}}`), 1000))
	require.Equal(t, 1000.0/4+256, m.Estimate([]byte(`{}`), 1000))
	require.Equal(t, 1000.0/4+60, m.Estimate([]byte(`{"max_tokens":60}`), 1000), "an answer is no longer than that")
	require.Equal(t, 1000.0/4+1, m.Estimate([]byte(`{"max_tokens":1}`), 1000))
	_, err := usage.New(usage.Config{Estimate: "1e999"})
	require.ErrorContains(t, err, "must be a number above 0", "it is a number, and no path")
	require.Equal(t, 1000.0/4+50, m.Estimate([]byte(`{"max_tokens":4000,"max_completion_tokens":50}`), 1000))
	require.Equal(t, 1000.0/4+256, m.Estimate([]byte(`{"max_tokens":0}`), 1000))
	m = meter(t, usage.Config{Cost: "n"})
	require.Equal(t, 256.0, m.Estimate([]byte(`{"n":1}`), 0), "what an answer has cost says no item")
	m.Read([]byte(`{"n":10}`))
	require.Equal(t, 10.0, m.Estimate(nil, 1000))
	m.Read([]byte(`{"n":20}`))
	m.Read([]byte(`{}`))
	require.Equal(t, 15.0, m.Estimate(nil, 1000))
}

// What all of that comes to.
func TestTotal(t *testing.T) {
	m := meter(t, usage.Config{Price: "in=2.5, out=10"})
	for range 3 {
		m.Read([]byte(`{"usage":{"input_tokens":1000,"output_tokens":200}}`))
	}
	total := m.Total()
	require.Equal(t, 3, total.Calls)
	require.Equal(t, 3600.0, total.All)
	require.InDelta(t, 3000*2.5/1e6+600*10/1e6, total.Cost, 1e-12)
	require.Equal(t, `  usage        tokens  per million         cost
  in             3000          2.5       0.0075
  out             600           10       0.0060
  total          3600                    0.0135
`, total.Table())

	m = meter(t, usage.Config{})
	m.Read([]byte(`{"usage":{"input_tokens":1,"output_tokens":2}}`))
	require.Equal(t, `  usage        tokens
  in                1
  out               2
  total             3
`, m.Total().Table())
	m = meter(t, usage.Config{})
	m.Read([]byte(`{"usage":{"input_tokens":4}}`))
	require.Contains(t, m.Total().Table(), "  in                4\n", "though none are out")
	m = meter(t, usage.Config{Price: "in=0.5"})
	m.Read([]byte(`{"usage":{"input_tokens":1000000}}`))
	require.InDelta(t, 0.5, m.Total().Cost, 1e-12)
	m = meter(t, usage.Config{Cost: "units"})
	m.Read([]byte(`{"units":5}`))
	require.Equal(t, "  usage \n  total             5\n", m.Total().Table())
	require.Zero(t, m.Total().Cost)
	require.Nil(t, m.Total().Price)
}

func TestBadFlags(t *testing.T) {
	for _, c := range []usage.Config{
		{Cost: "a..b"}, {Cost: "."}, {Estimate: "0"}, {Estimate: "-5"}, {Estimate: "Inf"}, {Estimate: "a..b"},
		{Price: "in"}, {Price: "in=-1"}, {Price: "other=1"}, {Price: "in=Inf"}, {Price: "in=1,,"},
	} {
		_, err := usage.New(c)
		var status *exit.Error
		require.ErrorAs(t, err, &status, "%+v", c)
		require.Equal(t, exit.BadUsage, status.Code, "%+v", c)
	}
}
