// Package procfs reads files of /proc under a given root.
//
// Their contents are what other processes made of them: lengths are bounded
// and every field may be missing.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// ErrFormat means that a file of /proc does not look like one.
var ErrFormat = errors.New("unexpected format")

// maxStat bounds what is read of a stat file: 52 numbers and a name.
const maxStat = 4096

// Stat is what is needed of /proc/PID/stat.
type Stat struct {
	State     byte   // R, S, D, T, t, Z, X ...
	StartTime uint64 // clock ticks since boot; with the pid it tells processes apart
}

// ReadStat reads the stat file of a process. The error is [os.ErrNotExist] if
// there is no such process.
func ReadStat(root string, pid int) (Stat, error) {
	f, err := os.Open(filepath.Join(root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return Stat{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStat))
	if err != nil {
		return Stat{}, fmt.Errorf("stat: %w", err)
	}
	return parseStat(b)
}

// parseStat reads the fields behind the name, which ends at the last
// parenthesis whatever it contains: proc(5).
func parseStat(b []byte) (Stat, error) {
	const state, starttime = 0, 22 - 3 // counted from field 3 of proc(5)
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) <= starttime {
		return Stat{}, fmt.Errorf("stat: %w", ErrFormat)
	}
	ticks, err := strconv.ParseUint(string(f[starttime]), 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("stat: %w", ErrFormat)
	}
	return Stat{State: f[state][0], StartTime: ticks}, nil
}

// Dead reports whether the process has ended, its parent waiting or not.
func (s Stat) Dead() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }
