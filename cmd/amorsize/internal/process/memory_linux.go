package process

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// memory finds the peak memory of a command. Linux counts the image of this process, which a command shares until
// it is executed, as the command's own: getrusage(2) is right only if it reports more than that. Otherwise the
// command is observed while it runs, at ages that double, and nothing is known of a shorter command.
type memory struct {
	mu    sync.Mutex
	ours  int64 // bytes, of this process when the command was executed
	seen  int64 // bytes, of the command
	pid   int
	age   time.Duration
	over  bool
	timer *time.Timer
}

// firstLook is the age at which a command is first observed.
const firstLook = 2 * time.Millisecond

func watchMemory(pid int) *memory {
	m := &memory{pid: pid, age: firstLook}
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		m.ours = int64(usage.Maxrss) << 10 //nolint:unconvert // not of that type on every system
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer = time.AfterFunc(m.age, m.look)
	return m
}

func (m *memory) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	m.seen = max(m.seen, highWater(m.pid))
	m.age = min(2*m.age, m.age+time.Second)
	m.timer.Reset(m.age / 2)
}

// of returns the bytes of a command, given what getrusage reported.
func (m *memory) of(told int64) int64 {
	if told > m.ours {
		return told
	}
	return m.seen
}

// stop ends the watch.
func (m *memory) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
	m.timer.Stop()
}

// highWater returns the peak memory of a process so far, in bytes; 0 if it has ended.
func highWater(pid int) int64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	kilobytes, _ := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 63)
	return kilobytes << 10
}
