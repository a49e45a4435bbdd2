package kmod

import (
	"github.com/rs/zerolog"

	"github.com/pdig/pdig/kernelsrc"
	"github.com/pdig/pdig/syscalls"
)

// Config says what is read, and how.
type Config struct {
	// Root stands before the paths below /dev, /sys and /proc: where the host's are in
	// a container.
	Root string
	// Names of the module, in the order in which they are tried. None: falco, scap.
	Names []string
	// RingSize is that of each CPU's ring, bytes: a power of two. 0: what the module has.
	RingSize int
	// Snaplen is how many bytes of data are kept. 0: what the module does, 80.
	Snaplen int
	// Wants selects system calls.
	Wants kernelsrc.Wanted
	// Switches and Signals ask for events of the scheduler and of delivered signals.
	Switches, Signals bool
	// DropRatio turns the dropping mode on: 1, 2, 4 ... 128. 0: nothing is left out.
	DropRatio int
	Log       zerolog.Logger
}

func (c *Config) names() []string {
	if len(c.Names) == 0 {
		return []string{"falco", "scap"}
	}
	return c.Names
}

// wantsEvent reports whether a type of event is wanted of a module that selects by
// these: those of all calls that are wanted, generic ones if there is one without a
// type of its own, and those that come of no call.
func (c *Config) wantsEvent(typ uint16) bool {
	switch typ &^ 1 {
	case eventSwitch, eventOldSwitch:
		return c.Switches
	case eventSignal:
		return c.Signals
	}
	if c.Wants == nil {
		return true
	}
	ofCalls := false
	for i := range syscalls.Calls {
		call := &syscalls.Calls[i]
		if call.Nr[syscalls.Native] < 0 {
			continue
		}
		enter, ok := call.Event(syscalls.CeilingA)
		if !ok {
			enter = syscalls.GenericE
		}
		if enter != typ&^1 {
			continue
		}
		if c.Wants(call) {
			return true
		}
		ofCalls = true
	}
	return !ofCalls
}
