package process

import (
	"bytes"
	"os"
	"strconv"
)

// busy reports whether a process runs, or is about to.
func busy(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	end := bytes.LastIndexByte(stat, ')') // of its name, which may have any characters
	return end >= 0 && end+2 < len(stat) && stat[end+2] == 'R'
}
