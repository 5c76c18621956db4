package journal

import (
	"cmp"
	"time"
)

// Options are the settings of a journal. The zero value is usable.
type Options struct {
	// Run names what is run, and its version: "thumbnails v2". A journal with another Run is
	// refused, because its results would be mistaken for this run's.
	Run string
	// Sync says when records are written to disk. The default is [SyncGroup].
	Sync Sync
	// SyncEvery is how long a record waits for others to be synced with it, at least 1 ms;
	// the default is 100 ms.
	SyncEvery time.Duration
	// SyncRecords is how many records wait at most, 1 to 1000000; the default is 1000.
	SyncRecords int
	// Codec says how results are stored; the default is [JSON].
	Codec Codec
	// SpillBytes is the size from which a result is stored in its own file, in the directory
	// PATH.spill, at least 1; the default is 1 MiB.
	SpillBytes int
	// MaxFailed is how many failed items are listed, the latest ones, at least 1; the default
	// is 10000. For the others, only the fact that they failed is known.
	MaxFailed int
}

// Sync says when records are written to disk.
type Sync int

const (
	// SyncGroup syncs records together: see Options.SyncEvery and SyncRecords.
	SyncGroup Sync = iota
	// SyncAlways syncs each record before its item counts as done. Records of several
	// workers are synced together.
	SyncAlways
	// SyncNever leaves syncing to the system: a crash of the machine may lose the records of
	// half a minute, a crash of the process those that it would lose with SyncGroup.
	SyncNever
)

// normal returns the options with their defaults.
func (o Options) normal() Options {
	o.SyncEvery = cmp.Or(o.SyncEvery, 100*time.Millisecond)
	o.SyncRecords = cmp.Or(o.SyncRecords, 1000)
	o.SpillBytes = cmp.Or(o.SpillBytes, 1<<20)
	o.MaxFailed = cmp.Or(o.MaxFailed, 10000)
	if o.Codec == nil {
		o.Codec = JSON
	}
	return o
}

func (o Options) check() error {
	const pkg = "journal"
	switch {
	case o.Sync < SyncGroup || o.Sync > SyncNever:
		return &InvalidError{Package: pkg, Field: "Sync", Value: int(o.Sync), Range: "SyncGroup, SyncAlways or SyncNever"}
	case o.SyncEvery < time.Millisecond:
		return &InvalidError{Package: pkg, Field: "SyncEvery", Value: o.SyncEvery, Range: "at least 1ms, or 0 for the default"}
	case o.SyncRecords < 1 || o.SyncRecords > 1e6:
		return &InvalidError{Package: pkg, Field: "SyncRecords", Value: o.SyncRecords, Range: "1 to 1000000, or 0 for the default"}
	case o.SpillBytes < 1:
		return &InvalidError{Package: pkg, Field: "SpillBytes", Value: o.SpillBytes, Range: "at least 1, or 0 for the default"}
	case o.MaxFailed < 1:
		return &InvalidError{Package: pkg, Field: "MaxFailed", Value: o.MaxFailed, Range: "at least 1, or 0 for the default"}
	}
	return nil
}
