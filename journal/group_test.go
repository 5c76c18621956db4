package journal

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errDisk = errors.New("no space left on device")

// memory is a disk that takes its time and has so much room.
type memory struct {
	mu      sync.Mutex
	content []byte
	synced  int // bytes
	syncs   atomic.Int64
	takes   time.Duration
	room    int
	fail    error // of Sync
}

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(len(p), m.room-int(at))
	m.content = append(m.content[:at], p[:n]...)
	if n < len(p) {
		return n, errDisk
	}
	return n, nil
}

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	return strings.NewReader(string(m.content)).ReadAt(p, at)
}
func (m *memory) Close() error { return nil }

func (m *memory) Truncate(size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.content = m.content[:size]
	return nil
}

func (m *memory) Sync() error {
	m.mu.Lock()
	n := len(m.content)
	m.mu.Unlock()
	if m.takes > 0 {
		time.Sleep(m.takes)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.synced = n
	m.syncs.Add(1)
	return nil
}

func (m *memory) lines(n int) int { return strings.Count(string(m.content[:n]), "\n") }

// onDisk returns how many lines are synced.
func (m *memory) onDisk() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lines(m.synced)
}

func newMemory(o Options, takes time.Duration) (*memory, *group) {
	m := &memory{takes: takes, room: 1 << 30}
	o = o.normal()
	return m, newGroup(m, 0, &o)
}

func ignorePlace(int64) bool { return true }

func nothingLast(int64) []byte { return nil }

// A record is on the disk after SyncEvery, also if none follows.
func TestSyncedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, g := newMemory(Options{}, 0)
		for range 3 {
			require.NoError(t, g.add([]byte("x\n"), ignorePlace))
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		require.Zero(t, m.syncs.Load())
		time.Sleep(39 * time.Millisecond)
		synctest.Wait()
		require.Zero(t, m.syncs.Load())
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, 3, m.onDisk())
		require.EqualValues(t, 1, m.syncs.Load())
		require.NoError(t, g.add([]byte("x\n"), ignorePlace))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 4, m.onDisk())
		require.NoError(t, g.close(nothingLast))
	})
}

// What is not on the disk is never more than twice SyncRecords, however slow that is, and
// lines are where they were said to be.
func TestBoundOfRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, g := newMemory(Options{SyncRecords: 10}, 7*time.Millisecond)
		var added atomic.Int64
		var places sync.Map
		var all sync.WaitGroup
		for w := range 4 {
			all.Go(func() {
				for i := range 100 {
					line := fmt.Sprintf("%d of %d\n", i, w)
					require.NoError(t, g.add([]byte(line), func(at int64) bool { places.Store(line, at); return true }))
					n := int(added.Add(1))
					m.mu.Lock()
					require.LessOrEqual(t, n-m.lines(m.synced), 20)
					m.mu.Unlock()
					if i%17 == w {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		all.Wait()
		require.NoError(t, g.close(nothingLast))
		require.Equal(t, 400, m.lines(m.synced))
		places.Range(func(line, at any) bool {
			text, from := line.(string), at.(int64)
			require.Equal(t, text, string(m.content[from:from+int64(len(text))]))
			return true
		})
		require.Less(t, m.syncs.Load(), int64(60), "they are synced together")
	})
}

// With SyncAlways a record is on the disk before add returns; those of several are synced
// together.
func TestSyncAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, g := newMemory(Options{Sync: SyncAlways}, 10*time.Millisecond)
		var all sync.WaitGroup
		began := time.Now()
		for w := range 8 {
			all.Go(func() {
				for i := range 10 {
					line := fmt.Sprintf("%d of %d\n", i, w)
					require.NoError(t, g.add([]byte(line), ignorePlace))
					m.mu.Lock()
					require.Contains(t, string(m.content[:m.synced]), line)
					m.mu.Unlock()
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, time.Since(began), 210*time.Millisecond, "two syncs for ten records each of eight")
		require.NoError(t, g.close(nothingLast))
	})
}

// With SyncNever nothing is synced, and everything written.
func TestSyncNever(t *testing.T) {
	m, g := newMemory(Options{Sync: SyncNever, SyncRecords: 1}, 0)
	for n := range 5 {
		require.NoError(t, g.add([]byte("x\n"), ignorePlace))
		require.Equal(t, n+1, m.lines(len(m.content)), "one at a time")
	}
	require.NoError(t, g.close(nothingLast))
	require.Zero(t, m.syncs.Load())
}

// A disk that is full, or fails: what is in the file is whole lines, whoever adds is told, and
// nothing is written from then on.
func TestFullDisk(t *testing.T) {
	for room := range 60 {
		m, g := newMemory(Options{SyncRecords: 3}, 0)
		m.room = room
		var failed error
		for i := range 12 {
			if failed = g.add(fmt.Appendf(nil, "line %d\n", i), ignorePlace); failed != nil {
				break
			}
		}
		failed = errors.Join(failed, g.flush())
		require.ErrorIs(t, failed, errDisk)
		m.room = 1 << 20
		require.ErrorIs(t, g.add([]byte("later\n"), ignorePlace), errDisk)
		require.ErrorIs(t, g.close(nothingLast), errDisk)
		require.True(t, len(m.content) == 0 || m.content[len(m.content)-1] == '\n')
		require.NotContains(t, string(m.content), "later")
	}
	synctest.Test(t, func(t *testing.T) {
		m, g := newMemory(Options{Sync: SyncAlways}, time.Millisecond)
		m.fail = io.ErrUnexpectedEOF
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { require.ErrorIs(t, g.add([]byte("x\n"), ignorePlace), io.ErrUnexpectedEOF) })
		}
		all.Wait()
	})
}

// Lines are written when they are many bytes, too.
func TestManyBytes(t *testing.T) {
	m, g := newMemory(Options{}, 0)
	line := []byte(strings.Repeat("x", mostBytes/2) + "\n")
	require.NoError(t, g.add(line, ignorePlace))
	require.Empty(t, m.content)
	require.NoError(t, g.add(line, ignorePlace))
	require.Len(t, m.content, 2*len(line))
	require.NoError(t, g.close(nothingLast))
}
