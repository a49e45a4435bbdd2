package modern

import (
	"github.com/pdig/pdig/syscalls"
)

// What the probe is told of each call: the layouts of bpf/probe.bpf.c.
const (
	numCalls = 1024 // of each ABI: the native one, that of 32-bit programs
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
}

// Bits of interest.
const (
	wantEnter = 1 << iota
	wantExit
	enterOps
	exitOps
)

// abis are the architectures of the two ABIs of this machine.
var abis = [2]syscalls.Arch{syscalls.Native, narrowABI[syscalls.Native]}

var narrowABI = [...]syscalls.Arch{syscalls.AMD64: syscalls.I386, syscalls.ARM64: syscalls.ARM}

// describe makes the table of the probe, and which calls are wanted.
func describe(cfg *Config) (table []description, wanted []byte) {
	table, wanted = make([]description, 2*numCalls), make([]byte, 2*numCalls)
	for abi, arch := range abis {
		for nr := range numCalls {
			c := syscalls.Lookup(arch, nr)
			if c != nil && !cfg.Wants.Call(c) && !vital(c.Name) || c == nil && cfg.Wants != nil {
				continue
			}
			key := abi*numCalls + nr
			wanted[key] = wantEnter | wantExit
			if c == nil {
				continue
			}
			table[key] = cfg.ops(c)
			if table[key].Enter[0].Code != 0 {
				wanted[key] |= enterOps
			}
			if table[key].Exit[0].Code != 0 {
				wanted[key] |= exitOps
			}
		}
	}
	return table, wanted
}

// vital reports whether nothing can be named without this call.
func vital(name string) bool {
	switch name {
	case "clone", "clone3", "fork", "vfork", "execve", "execveat":
		return true
	}
	return false
}
