package modern

import (
	"slices"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer"
)

// What the probe is told of each call: the layouts of bpf/probe.bpf.c.
const (
	numCalls = 1024 // of each ABI
	numParts = 64   // of calls that are many
	maxOps   = 8
)

// opCode is an operation of the probe.
type opCode uint8

const (
	opString   opCode = iota + 1
	opBytes           // of the length in larg, or max
	opSized           // of the length behind larg
	opIOV             // larg buffers
	opMessage         // struct msghdr
	opMessages        // larg of struct mmsghdr
	opStrings         // pointers up to NULL
	opFile            // what is behind a descriptor
	opSocket
	opFiles // two descriptors in memory
	opPath  // of a descriptor; of no argument: of the working directory
	opTask  // what the kernel knows of the process
	opSizes // of its memory
)

// Flags of an operation.
const (
	failedOnly = 1 // only if the call has failed
	lateOnly   = 2 // only if the entry could not read all
	eightfold  = 4 // the length counts words of 8 bytes
)

// Arguments besides the six registers.
const (
	argResult = 6
	argNone   = 7
)

type operation struct {
	Code      opCode
	Arg, Larg uint8
	Flags     uint8
	Max       uint32
}

type description struct {
	Enter, Exit [maxOps]operation

	// Of a call of i386 that is many: where in the table the descriptions are of what
	// it does, and whether the arguments of that are in memory.
	Parts, InMemory uint32
}

// Bits of interest.
const (
	wantEnter = 1 << iota
	wantExit
	enterOps
	exitOps
	isMany
	classShift = 5 // above: the class
)

// ABIs of a kernel: the native one, that of 32-bit programs, x32.
const (
	native = iota
	narrow
	x32
	numABIs
)

// callOf is a call of an ABI, nil if the number has none.
func callOf(abi, nr int) *syscalls.Call {
	if abi == x32 && syscalls.Native != syscalls.AMD64 {
		return nil
	}
	return tracer.CallOf(abi == narrow, nr)
}

// describe makes the table of the probe, and which calls are wanted.
func describe(cfg *Config) (table []description, wanted []byte) {
	table, wanted = make([]description, numABIs*numCalls+numParts), make([]byte, numABIs*numCalls)
	next := numABIs * numCalls
	for abi := range numABIs {
		for nr := range numCalls {
			key := abi*numCalls + nr
			c := callOf(abi, nr)
			var parts []tracer.Part
			inMemory := false
			if abi == narrow && c != nil {
				parts, inMemory = tracer.Parts(c.Name)
			}
			switch {
			case c == nil && cfg.Wants == nil:
				wanted[key] = wantEnter | wantExit // class: other
				continue
			case c == nil || !cfg.wants(c, parts):
				continue
			}
			table[key] = cfg.ops(c, abi, nil)
			wanted[key] = wantEnter | wantExit | table[key].bits() | byte(classOf(c))<<classShift
			if parts == nil {
				continue
			}
			wanted[key] |= isMany | enterOps | exitOps
			table[key].Parts = uint32(next)
			if inMemory {
				table[key].InMemory = 1
			}
			for _, p := range parts {
				if p.Call != nil {
					table[next] = cfg.ops(p.Call, abi, p.Args)
				}
				next++
			}
		}
	}
	return table, wanted
}

// classOf is the class by which losses of a call are counted.
func classOf(c *syscalls.Call) event.Class {
	if vital(c.Name) || c.Name == "exit" || c.Name == "exit_group" {
		return event.ClassLife
	}
	for _, row := range [...]struct {
		has syscalls.Class
		is  event.Class
	}{
		{syscalls.ClassNetwork, event.ClassNetwork}, {syscalls.ClassFile, event.ClassFile},
		{syscalls.ClassProcess | syscalls.ClassSignal, event.ClassProcess}, {syscalls.ClassMemory, event.ClassMemory},
		{syscalls.ClassDesc, event.ClassDescriptor}, {syscalls.ClassIpc, event.ClassIPC},
	} {
		if c.Class&row.has != 0 {
			return row.is
		}
	}
	return event.ClassOther
}

// bits are which halves have operations.
func (d *description) bits() (bits byte) {
	if d.Enter[0].Code != 0 {
		bits |= enterOps
	}
	if d.Exit[0].Code != 0 {
		bits |= exitOps
	}
	return bits
}

// wants reports whether a call is wanted, or one of its parts.
func (cfg *Config) wants(c *syscalls.Call, parts []tracer.Part) bool {
	if cfg.Wants.Call(c) || vital(c.Name) {
		return true
	}
	return slices.ContainsFunc(parts, func(p tracer.Part) bool { return p.Call != nil && cfg.Wants.Call(p.Call) })
}

// vital reports whether nothing can be named without this call.
func vital(name string) bool {
	switch name {
	case "clone", "clone3", "fork", "vfork", "execve", "execveat":
		return true
	}
	return false
}
