//go:build unix

package process

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func store(at *int32, value int32) { atomic.StoreInt32(at, value) }

// StartGuard starts program as the guard.
func StartGuard(program string) (*Guard, error) {
	file, err := os.CreateTemp("", "amorsize-guard-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	_ = os.Remove(file.Name())
	if err := file.Truncate(4 * guardSlots); err != nil {
		return nil, err
	}
	table, err := mapTable(file)
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = read.Close() }()
	mark := fmt.Sprintf("%s=%d.%d", guardVariable, os.Getpid(), time.Now().UnixNano())
	session, err := unix.Getsid(0)
	if err != nil {
		return nil, err
	}
	child, err := os.StartProcess(program, []string{program, GuardArgument, mark, strconv.Itoa(session)}, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{read, nil, nil, file},
		Sys:   &syscall.SysProcAttr{Setsid: true}, // it gets no signals of the terminal
	})
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	return &Guard{table: table, pipe: write, child: child, mark: mark}, nil
}

func mapTable(file *os.File) ([]int32, error) {
	raw, err := unix.Mmap(int(file.Fd()), 0, 4*guardSlots, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&raw[0])), guardSlots), nil
}

// BeGuard is the life of a guard: it waits for the end of standard input, and then kills the groups in the table,
// and those that were being started.
func BeGuard() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	table, err := mapTable(os.NewFile(3, "table"))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	unknown := false
	for i := range table {
		switch pid := atomic.LoadInt32(&table[i]); {
		case pid > 0:
			_ = syscall.Kill(-int(pid), syscall.SIGKILL)
		case pid == starting:
			unknown = true
		}
	}
	if unknown && len(os.Args) > 3 {
		session, _ := strconv.Atoi(os.Args[3])
		killMarked(os.Args[2], session)
	}
}
