package optimizer_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/optimizer"
)

func TestPlanJSON(t *testing.T) {
	p := optimizer.New(sample(ms, 0.5), memoryHost(4, 1<<33), optimizer.Constraints{Items: 5000, MaxWorkers: 9})
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(text), `"mode":"parallel"`)
	require.Contains(t, string(text), `"workload":"mixed"`)
	var back optimizer.Plan
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, p, back)
	require.Error(t, json.Unmarshal([]byte(`{"mode":"sideways"}`), &back))
	require.Error(t, json.Unmarshal([]byte(`{"workload":"leisure"}`), &back))
}

func TestMode(t *testing.T) {
	for mode, name := range map[optimizer.Mode]string{optimizer.Serial: "serial", optimizer.Parallel: "parallel", 2: "Mode(2)", -1: "Mode(-1)"} {
		require.Equal(t, name, mode.String())
	}
	for name, want := range map[string]optimizer.Mode{"serial": optimizer.Serial, "parallel": optimizer.Parallel} {
		mode := optimizer.Mode(9)
		require.NoError(t, mode.UnmarshalText([]byte(name)))
		require.Equal(t, want, mode)
	}
}
