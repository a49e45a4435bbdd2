package ebpf

import (
	"github.com/rs/zerolog"

	"github.com/pdig/pdig/syscalls"
)

// Config says what is read, and how.
type Config struct {
	// File is the object with the probe.
	File string
	// RingSize is that of each CPU's ring, bytes: a power of two.
	RingSize int
	// Snaplen is how many bytes of data are kept. 0: 80.
	Snaplen int
	// Wants selects system calls. nil: all.
	Wants func(*syscalls.Call) bool
	// Switches and Signals ask for events of the scheduler and of delivered signals.
	Switches, Signals bool
	Log               zerolog.Logger
}

// wantsNumber reports whether a native number is wanted. One that the table does
// not know is, with all.
func (c *Config) wantsNumber(nr int) bool {
	if c.Wants == nil {
		return true
	}
	call := syscalls.Lookup(syscalls.Native, nr)
	return call != nil && c.Wants(call)
}

// wantsName reports whether one of these calls is wanted.
func (c *Config) wantsName(names ...string) bool {
	for _, n := range names {
		if call := syscalls.LookupName(n); call != nil && (c.Wants == nil || c.Wants(call)) {
			return true
		}
	}
	return false
}

// wantsTracepoint reports whether the programs of a tracepoint are to run.
func (c *Config) wantsTracepoint(event string) bool {
	switch event {
	case "sys_enter", "sys_exit", "sched_process_exit":
		return true
	case "sched_process_fork":
		return c.wantsName("fork", "vfork", "clone", "clone3")
	case "sched_process_exec":
		return c.wantsName("execve", "execveat")
	case "sched_switch":
		return c.Switches
	case "signal_deliver":
		return c.Signals
	}
	return false // page faults, and what no version has that is known
}
