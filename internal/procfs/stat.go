// Package procfs reads files of /proc under a given root.
//
// Their contents are what other processes made of them: lengths are bounded
// and every field may be missing.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// ErrFormat means that a file of /proc does not look like one.
var ErrFormat = errors.New("unexpected format")

// maxStat bounds what is read of a stat file: 52 numbers and a name.
const maxStat = 4096

// Stat is what is needed of /proc/PID/stat.
type Stat struct {
	State     byte   // R, S, D, T, t, Z, X ...
	PGID, SID int64  // process group and session
	TTY       uint32 // device of the terminal, 0 if none
	MinFaults uint64
	MajFaults uint64
	StartTime uint64 // clock ticks since boot; with the pid it tells processes apart
}

// ReadStat reads the stat file of a process. The error is [os.ErrNotExist] if
// there is no such process.
func ReadStat(root string, pid int) (Stat, error) {
	b, err := readFile(root, pid, "stat", maxStat)
	if err != nil {
		return Stat{}, err
	}
	return parseStat(b)
}

// parseStat reads the fields behind the name, which ends at the last
// parenthesis whatever it contains: proc(5).
func parseStat(b []byte) (Stat, error) {
	// Counted from field 3 of proc(5).
	const state, pgrp, session, ttyNr, minflt, majflt, starttime = 0, 5 - 3, 6 - 3, 7 - 3, 10 - 3, 12 - 3, 22 - 3
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) <= starttime {
		return Stat{}, fmt.Errorf("stat: %w", ErrFormat)
	}
	ticks, err := strconv.ParseUint(string(f[starttime]), 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("stat: %w", ErrFormat)
	}
	s := Stat{State: f[state][0], StartTime: ticks}
	s.PGID, _ = strconv.ParseInt(string(f[pgrp]), 10, 64)
	s.SID, _ = strconv.ParseInt(string(f[session]), 10, 64)
	tty, _ := strconv.ParseInt(string(f[ttyNr]), 10, 64) // as an int of C
	s.TTY = uint32(tty)
	s.MinFaults, _ = strconv.ParseUint(string(f[minflt]), 10, 64)
	s.MajFaults, _ = strconv.ParseUint(string(f[majflt]), 10, 64)
	return s, nil
}

// Tick is the unit of times in stat files, in nanoseconds: USER_HZ is 100 wherever Go
// runs.
const Tick = 1e7

// Dead reports whether the process has ended, its parent waiting or not.
func (s Stat) Dead() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }
