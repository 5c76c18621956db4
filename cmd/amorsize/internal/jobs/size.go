package jobs

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
)

// ErrSize is an invalid number of jobs, or of items in one.
var ErrSize = errors.New("invalid flag")

// Size says how many jobs run at a time.
type Size struct {
	Fixed int // 0 means that it is measured
	Most  int // 0 means no bound
}

// ParseSize reads auto, 8, 200% (of the cores) and max:8.
func ParseSize(text string) (Size, error) {
	bad := func() (Size, error) {
		return Size{}, fmt.Errorf("%w: --jobs %q: must be auto, a number of at least 1, a share of the cores such as 200%%, or max:8 for auto with at most 8", ErrSize, text)
	}
	if text == "" || text == "auto" {
		return Size{}, nil
	}
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		return Size{}, fmt.Errorf("%w: --jobs %q: must not begin with + or -: use 100%% for a job per core, or omit --jobs", ErrSize, text)
	}
	number, bounded := strings.CutPrefix(text, "max:")
	number, share := strings.CutSuffix(number, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1<<15 {
		return bad()
	}
	if share {
		n = max(1, (n*runtime.GOMAXPROCS(0)+50)/100)
	}
	if bounded {
		return Size{Most: n}, nil
	}
	return Size{Fixed: n}, nil
}

// BatchSize says how many items a job has.
type BatchSize struct {
	Fixed int // 1 means no batch
	Auto  bool
	Most  int // of Auto; 0 means mostItems
}

// mostItems bounds a batch whose size is measured.
const mostItems = 5000

// ParseBatch reads 1, 50 and auto.
func ParseBatch(text string) (BatchSize, error) {
	switch text {
	case "", "1":
		return BatchSize{Fixed: 1}, nil
	case "auto":
		return BatchSize{Auto: true}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return BatchSize{}, fmt.Errorf("%w: --batch %q: must be auto or a number of items of at least 1", ErrSize, text)
	}
	return BatchSize{Fixed: n}, nil
}
