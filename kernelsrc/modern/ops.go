package modern

import (
	"github.com/pdig/pdig/syscalls"
	"github.com/pdig/pdig/tracer"
)

// Sizes of copies, bytes. The probe copies no more than maxCopy at once, and of data
// so much several times: a record has room for that.
const (
	maxCopy    = 4096
	maxData    = 14 * maxCopy
	maxAddress = 128
)

// ops are the operations of a call: what its events have of memory and descriptors.
// args, if any, are where another call that carries it out has its arguments.
func (cfg *Config) ops(c *syscalls.Call, abi int, args []uint8) (d description) {
	enter, ok := c.Event(cfg.Ceiling)
	if !ok {
		return d
	}
	b := builder{cfg: cfg, d: &d, call: c.Name, args: args}
	for half, typ := range []uint16{enter, enter + 1} {
		b.exit = half == 1
		for i := range syscalls.Events[typ].Params {
			b.param(&syscalls.Events[typ].Params[i].Source)
		}
	}
	b.special()
	switch {
	case abi == narrow && c.Name == "mmap":
		b.early(bytesAt(0, 6*4)) // its arguments
	case args != nil && c.Name == "semctl":
		b.early(bytesAt(3, 4)) // union semun, of ipc
	}
	return d
}

// builder adds operations to a description.
type builder struct {
	cfg  *Config
	d    *description
	call string
	exit bool // what is added is for the exit
	args []uint8
}

func (b *builder) add(ops *[maxOps]operation, o operation) {
	o.Arg, o.Larg = b.place(o.Arg), b.place(o.Larg)
	for i := range ops {
		if ops[i] == o {
			return
		}
		if ops[i].Code == 0 {
			ops[i] = o
			return
		}
	}
}

// place is where an argument is.
func (b *builder) place(arg uint8) uint8 {
	if int(arg) < len(b.args) {
		return b.args[arg]
	}
	return arg
}

// half adds to the half whose event has it.
func (b *builder) half(o operation) {
	if b.exit {
		b.add(&b.d.Exit, o)
	} else {
		b.add(&b.d.Enter, o)
	}
}

// atExit adds to the exit.
func (b *builder) atExit(o operation) { b.add(&b.d.Exit, o) }

// early adds to the entry what both halves have as it was then, and to the exit
// that it is tried again.
func (b *builder) early(o operation) {
	b.add(&b.d.Enter, o)
	o.Flags |= lateOnly
	b.add(&b.d.Exit, o)
}

func (b *builder) param(s *syscalls.Source) {
	switch s.Op {
	case syscalls.OpStr:
		b.early(operation{Code: opString, Arg: s.A, Larg: argNone})
	case syscalls.OpSockAddr:
		b.early(operation{Code: opBytes, Arg: s.A, Larg: s.B, Max: maxAddress})
	case syscalls.OpMem:
		b.half(operation{Code: opBytes, Arg: s.A, Larg: argNone, Max: uint32(s.Off) + uint32(s.Width)})
	case syscalls.OpFunc:
		if f := functions[s.Func]; f != nil {
			f(b, s)
		}
	}
}

// snaplen is how much of a buffer is copied.
func (b *builder) snaplen() uint32 { return uint32(min(max(b.cfg.Snaplen, 16), maxData)) }

func bytesAt(arg uint8, n uint32) operation {
	return operation{Code: opBytes, Arg: arg, Larg: argNone, Max: n}
}

func fileOf(arg uint8) operation   { return operation{Code: opFile, Arg: arg, Larg: argNone} }
func socketOf(arg uint8) operation { return operation{Code: opSocket, Arg: arg, Larg: argNone} }

// special adds what a call needs beside the parameters of its events.
func (b *builder) special() {
	b.exit = true
	switch b.call {
	case "clone3":
		b.add(&b.d.Enter, bytesAt(0, 8)) // the flags
	case "openat2":
		b.early(bytesAt(2, 24)) // struct open_how
	case "bind":
		b.atExit(socketOf(0)) // the port, if the kernel has chosen it
	case "open", "openat", "creat":
		b.atExit(fileOf(argResult)) // whether it was created
	}
	b.opened()
	if tracer.Changes(b.call) {
		b.atExit(operation{Code: opTask, Arg: argNone, Larg: argNone})
	}
}

// opened adds what a name that could be read no sooner than at the exit of an open is
// compared with: what was opened, and the directory that the name begins from.
func (b *builder) opened() {
	from := uint8(argNone) // the working directory
	switch b.call {
	case "open", "creat":
	case "openat", "openat2":
		from = 0
	default:
		return
	}
	late := uint8(lateOnly)
	if b.cfg.Truth { // which wants to know what was opened in any case
		late = 0
	}
	b.atExit(operation{Code: opPath, Arg: argResult, Larg: argNone, Flags: late})
	b.atExit(operation{Code: opPath, Arg: from, Larg: argNone, Flags: lateOnly})
}

// functions say what the named functions of the tables look at, as far as that is
// memory of the program or behind a descriptor.
var functions = [syscalls.NumFuncs]func(*builder, *syscalls.Source){
	syscalls.FuncFilename: func(b *builder, _ *syscalls.Source) {
		path := uint8(0)
		if b.call == "execveat" {
			path = 1
		}
		b.early(operation{Code: opString, Arg: path, Larg: argNone})
	},
	syscalls.FuncArgs: func(b *builder, _ *syscalls.Source) { b.execList(1) },
	syscalls.FuncEnv:  func(b *builder, _ *syscalls.Source) { b.execList(2) },

	syscalls.FuncFdpath:    func(b *builder, _ *syscalls.Source) { b.atExit(operation{Code: opPath, Arg: argResult, Larg: argNone}) },
	syscalls.FuncNowvmsize: sizes,
	syscalls.FuncNowvmrss:  sizes,
	syscalls.FuncNowvmswap: sizes,

	syscalls.FuncFddev:   func(b *builder, _ *syscalls.Source) { b.atExit(fileOf(argResult)) },
	syscalls.FuncFdino:   func(b *builder, _ *syscalls.Source) { b.atExit(fileOf(argResult)) },
	syscalls.FuncPipefd:  func(b *builder, _ *syscalls.Source) { b.atExit(operation{Code: opFiles, Arg: 0, Larg: argNone}) },
	syscalls.FuncPipeino: func(b *builder, _ *syscalls.Source) { b.atExit(operation{Code: opFiles, Arg: 0, Larg: argNone}) },
	syscalls.FuncPairfd:  func(b *builder, _ *syscalls.Source) { b.atExit(operation{Code: opFiles, Arg: 3, Larg: argNone}) },
	syscalls.FuncPairid:  func(b *builder, _ *syscalls.Source) { b.atExit(operation{Code: opFiles, Arg: 3, Larg: argNone}) },

	syscalls.FuncReaddata: func(b *builder, s *syscalls.Source) {
		b.atExit(operation{Code: opBytes, Arg: s.A, Larg: argResult, Max: b.snaplen()})
	},
	syscalls.FuncWritedata: sized,
	syscalls.FuncBuffer:    sized,
	syscalls.FuncOffset:    func(b *builder, s *syscalls.Source) { b.half(bytesAt(s.A, 8)) },
	syscalls.FuncIovsize: func(b *builder, s *syscalls.Source) {
		b.half(operation{Code: opIOV, Arg: s.A, Larg: s.B})
	},
	syscalls.FuncIovread:    vector,
	syscalls.FuncIovwritten: vector,
	syscalls.FuncGetcwd:     func(b *builder, _ *syscalls.Source) { b.atExit(operation{Code: opString, Larg: argNone}) },

	syscalls.FuncMsgsize:      message,
	syscalls.FuncMsgread:      message,
	syscalls.FuncMsgwritten:   message,
	syscalls.FuncMsgcontrol:   message,
	syscalls.FuncMsgsendtuple: message,
	syscalls.FuncMsgrecvtuple: message,
	syscalls.FuncMmsgres:      message,
	syscalls.FuncMmsglen:      message,
	syscalls.FuncSendtuple: func(b *builder, _ *syscalls.Source) {
		b.half(operation{Code: opBytes, Arg: 4, Larg: 5, Max: maxAddress})
		b.half(socketOf(0))
	},
	syscalls.FuncRecvtuple: func(b *builder, _ *syscalls.Source) {
		b.atExit(operation{Code: opSized, Arg: 4, Larg: 5, Max: maxAddress})
		b.atExit(socketOf(0))
	},
	syscalls.FuncConnecttuple: func(b *builder, _ *syscalls.Source) { b.atExit(socketOf(0)) },
	syscalls.FuncAccepttuple: func(b *builder, _ *syscalls.Source) {
		b.atExit(operation{Code: opSized, Arg: 1, Larg: 2, Max: maxAddress})
		b.atExit(socketOf(argResult))
		b.atExit(socketOf(0)) // the queue
	},
	syscalls.FuncOptval: func(b *builder, s *syscalls.Source) {
		code := opBytes
		if b.call == "getsockopt" {
			code = opSized
		}
		b.half(operation{Code: code, Arg: s.A, Larg: s.B, Max: b.snaplen()})
	},

	syscalls.FuncPollevents:  polled,
	syscalls.FuncPollrevents: polled,
	syscalls.FuncTimespec:    func(b *builder, s *syscalls.Source) { b.half(bytesAt(s.A, 16)) },
	syscalls.FuncLimit:       func(b *builder, s *syscalls.Source) { b.half(bytesAt(s.A, 16)) },
	syscalls.FuncGotlimit:    func(b *builder, s *syscalls.Source) { b.half(bytesAt(s.A, 16)) },
	syscalls.FuncSemnum:      func(b *builder, _ *syscalls.Source) { b.half(bytesAt(1, 12)) },
	syscalls.FuncPtracedata:  func(b *builder, _ *syscalls.Source) { b.half(bytesAt(3, 8)) },

	syscalls.FuncFsbytes: func(b *builder, _ *syscalls.Source) {
		b.half(operation{Code: opBytes, Arg: 3, Larg: 4, Max: b.snaplen()})
	},
	syscalls.FuncFsstring:    func(b *builder, _ *syscalls.Source) { b.half(operation{Code: opString, Arg: 3, Larg: argNone}) },
	syscalls.FuncPrctlstring: func(b *builder, _ *syscalls.Source) { b.half(operation{Code: opString, Arg: 1, Larg: argNone}) },
	syscalls.FuncPrctlnumber: func(b *builder, _ *syscalls.Source) { b.half(bytesAt(1, 4)) },
	syscalls.FuncKeyarg:      func(b *builder, s *syscalls.Source) { b.half(operation{Code: opString, Arg: s.A, Larg: argNone}) },
	syscalls.FuncQuotafile:   func(b *builder, _ *syscalls.Source) { b.half(operation{Code: opString, Arg: 3, Larg: argNone}) },
	syscalls.FuncDqblk:       func(b *builder, _ *syscalls.Source) { b.half(bytesAt(3, 72)) },
	syscalls.FuncDqinfo:      func(b *builder, _ *syscalls.Source) { b.half(bytesAt(3, 24)) },
	syscalls.FuncDqflags:     func(b *builder, _ *syscalls.Source) { b.half(bytesAt(3, 24)) },
	syscalls.FuncQuotagotfmt: func(b *builder, _ *syscalls.Source) { b.half(bytesAt(3, 4)) },
}

// execList is the list behind the path of an exec that has failed: one that has
// succeeded has taken the old memory along.
func (b *builder) execList(n uint8) {
	if b.call == "execveat" {
		n++
	}
	b.atExit(operation{Code: opStrings, Arg: n, Larg: argNone, Flags: failedOnly})
}

func sizes(b *builder, _ *syscalls.Source) {
	b.atExit(operation{Code: opSizes, Arg: argNone, Larg: argNone})
}

func sized(b *builder, s *syscalls.Source) {
	b.half(operation{Code: opBytes, Arg: s.A, Larg: s.B, Max: b.snaplen()})
}

func vector(b *builder, s *syscalls.Source) {
	b.half(operation{Code: opIOV, Arg: s.A, Larg: s.B, Max: b.snaplen()})
}

func message(b *builder, _ *syscalls.Source) {
	switch b.call {
	case "sendmmsg", "recvmmsg":
		b.atExit(operation{Code: opMessages, Arg: 1, Larg: argResult, Max: b.snaplen()})
		b.atExit(socketOf(0))
	default:
		b.half(operation{Code: opMessage, Arg: 1, Larg: argNone, Max: b.snaplen()})
		b.half(socketOf(0))
	}
}

func polled(b *builder, _ *syscalls.Source) {
	b.half(operation{Code: opBytes, Arg: 0, Larg: 1, Flags: eightfold, Max: maxCopy})
}
