package ebpf

import (
	"github.com/rs/zerolog"

	"github.com/pdig/pdig/kernelsrc"
)

// Config says what is read, and how.
type Config struct {
	// File is the object with the probe.
	File string
	// RingSize is that of each CPU's ring, bytes: a power of two.
	RingSize int
	// Snaplen is how many bytes of data are kept. 0: 80.
	Snaplen int
	// Wants selects system calls.
	Wants kernelsrc.Wanted
	// Switches and Signals ask for events of the scheduler and of delivered signals.
	Switches, Signals bool
	Log               zerolog.Logger
}

// wantsTracepoint reports whether the programs of a tracepoint are to run.
func (c *Config) wantsTracepoint(event string) bool {
	switch event {
	case "sys_enter", "sys_exit", "sched_process_exit":
		return true
	case "sched_process_fork":
		return c.Wants.Name("fork", "vfork", "clone", "clone3")
	case "sched_process_exec":
		return c.Wants.Name("execve", "execveat")
	case "sched_switch":
		return c.Switches
	case "signal_deliver":
		return c.Signals
	}
	return false // page faults, and what no version has that is known
}
