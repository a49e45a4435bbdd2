package tracer

import (
	"encoding/binary"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// param appends one parameter of an event of th, as the table says.
func (t *Tracer) param(th *thread, p *syscalls.Param) {
	c := &th.call
	switch src := &p.Source; src.Op {
	case syscalls.OpRet:
		t.enc.Int(p.Type.Size(), uint64(c.ret))
	case syscalls.OpArg:
		v := c.args[src.A]
		if p.Type == syscalls.Int64 {
			v = uint64(int64(int32(v))) // an int of the call: what is above it is chance
		}
		t.number(c, p, v)
	case syscalls.OpConst:
		t.enc.Int(p.Type.Size(), uint64(src.Const))
	case syscalls.OpStr:
		t.string(c.string(src.A))
	case syscalls.OpSockAddr:
		t.enc.Open()
		t.enc.Append(event.AppendSockAddr(t.scratch[:0], c.addr))
		t.enc.Close()
	case syscalls.OpMem:
		var b [8]byte
		v, width := uint64(0), src.Width
		if c.spec.shortIDs {
			width = 2
		}
		if th.proc.mem.full(b[:width], c.args[src.A]+uint64(src.Off)) {
			v = binary.LittleEndian.Uint64(b[:])
		}
		t.number(c, p, v)
	case syscalls.OpFunc:
		funcs[src.Func](t, th, p)
	}
}

// number appends v, a native number, translated and as wide as p.
func (t *Tracer) number(c *call, p *syscalls.Param, v uint64) {
	switch p.Type {
	case syscalls.FD, syscalls.PID, syscalls.Errno:
		v = uint64(int64(int32(v))) // an int of the call
	}
	if p.Source.Table != syscalls.NoTrans {
		arch, _ := number(c.arch, 0)
		v = p.Source.Table.Translate(arch, v)
	}
	t.enc.Int(p.Type.Size(), v)
}

// string appends s, or what stands for a string that could not be read: older
// readers take an empty parameter for the one behind it.
func (t *Tracer) string(s []byte, ok bool) {
	switch {
	case ok:
		t.enc.String(s)
	case t.specs.ceiling == syscalls.CeilingNewest:
		t.enc.Empty()
	default:
		t.enc.String(unreadable)
	}
}

var unreadable = []byte("<NA>")

// funcs are the named functions of the table. Each appends one parameter.
var funcs = [syscalls.NumFuncs]func(*Tracer, *thread, *syscalls.Param){
	syscalls.FuncSc: func(t *Tracer, th *thread, _ *syscalls.Param) { t.enc.Int(2, uint64(th.call.spec.sc)) },
	syscalls.FuncNr: func(t *Tracer, th *thread, _ *syscalls.Param) { t.enc.Int(2, th.call.nr) },

	syscalls.FuncTid:   pidFunc(func(th *thread) int { return th.tid }),
	syscalls.FuncPid:   pidFunc(func(th *thread) int { return th.proc.pid }),
	syscalls.FuncPtid:  pidFunc(func(th *thread) int { return th.proc.parent }),
	syscalls.FuncVtid:  vtid,
	syscalls.FuncVpid:  pidFunc(func(th *thread) int { return th.proc.vpid }),
	syscalls.FuncPgid:  pidFunc(func(th *thread) int { return th.proc.pgid }),
	syscalls.FuncVpgid: pidFunc(func(th *thread) int { return th.proc.vpgid }),
	syscalls.FuncReaper: func(t *Tracer, th *thread, p *syscalls.Param) {
		t.enc.Int(p.Type.Size(), uint64(int64(t.reaper(th))))
	},

	syscalls.FuncExe:      exe,
	syscalls.FuncComm:     textFunc((*thread).name),
	syscalls.FuncExepath:  textFunc(func(th *thread) []byte { return th.proc.file.path }),
	syscalls.FuncArgs:     args,
	syscalls.FuncCgroups:  bytesFunc(func(th *thread) []byte { return th.proc.cgroups.list() }),
	syscalls.FuncEnv:      environment,
	syscalls.FuncEmpty:    empty,
	syscalls.FuncFilename: filename,

	syscalls.FuncFdlimit:  fdLimit,
	syscalls.FuncMajflt:   numberFunc(func(th *thread) uint64 { return th.proc.majflt }),
	syscalls.FuncMinflt:   numberFunc(func(th *thread) uint64 { return th.proc.minflt }),
	syscalls.FuncVmsize:   numberFunc(func(th *thread) uint64 { return uint64(th.proc.vmsize) }),
	syscalls.FuncVmrss:    numberFunc(func(th *thread) uint64 { return uint64(th.proc.vmrss) }),
	syscalls.FuncVmswap:   numberFunc(func(th *thread) uint64 { return uint64(th.proc.vmswap) }),
	syscalls.FuncTty:      numberFunc(func(th *thread) uint64 { return uint64(th.proc.tty) }),
	syscalls.FuncLoginuid: numberFunc(func(th *thread) uint64 { return uint64(th.proc.loginuid) }),
	syscalls.FuncEuid:     numberFunc(func(th *thread) uint64 { return uint64(th.who().uid) }),
	syscalls.FuncEgid:     numberFunc(func(th *thread) uint64 { return uint64(th.who().gid) }),
	syscalls.FuncCapinh:   numberFunc(func(th *thread) uint64 { return th.who().capInh }),
	syscalls.FuncCapprm:   numberFunc(func(th *thread) uint64 { return th.who().capPrm }),
	syscalls.FuncCapeff:   numberFunc(func(th *thread) uint64 { return th.who().capEff }),
	syscalls.FuncExeino:   numberFunc(func(th *thread) uint64 { return th.proc.file.ino }),
	syscalls.FuncExectime: numberFunc(func(th *thread) uint64 { return th.proc.file.ctime }),
	syscalls.FuncExemtime: numberFunc(func(th *thread) uint64 { return th.proc.file.mtime }),
	syscalls.FuncExeflags: numberFunc(func(th *thread) uint64 { return uint64(th.proc.file.flags) }),

	syscalls.FuncCloneflags: cloneFlags,
	syscalls.FuncPidnsstart: func(t *Tracer, th *thread, _ *syscalls.Param) {
		if th.call.ret == 0 {
			t.enc.Int(8, th.proc.nsStart)
		} else {
			t.enc.Int(8, 0)
		}
	},

	syscalls.FuncExitstatus: numberFunc(func(th *thread) uint64 { return uint64(th.status & 0xffff) }),
	syscalls.FuncExitcode:   numberFunc(func(th *thread) uint64 { return uint64(th.status >> 8 & 0xff) }),
	syscalls.FuncExitsig:    numberFunc(func(th *thread) uint64 { return uint64(th.status & 0x7f) }),
	syscalls.FuncExitcore:   numberFunc(func(th *thread) uint64 { return uint64(th.status >> 7 & 1) }),

	syscalls.FuncOpenflags:  openFlags,
	syscalls.FuncCreatflags: creatFlags,
	syscalls.FuncOpenmode:   openMode,
	syscalls.FuncHowmode:    howMode,
	syscalls.FuncFddev:      fdDev,
	syscalls.FuncFdino:      fdIno,
	syscalls.FuncPipefd:     pipeFD,
	syscalls.FuncPipeino:    pipeIno,

	syscalls.FuncNowvmsize: nowFunc(func(s *procStatus) uint32 { return s.vmsize }),
	syscalls.FuncNowvmrss:  nowFunc(func(s *procStatus) uint32 { return s.vmrss }),
	syscalls.FuncNowvmswap: nowFunc(func(s *procStatus) uint32 { return s.vmswap }),

	syscalls.FuncIovsize:    iovSize,
	syscalls.FuncIovread:    iovRead,
	syscalls.FuncIovwritten: iovWritten,
	syscalls.FuncRetsize:    retSize,
	syscalls.FuncBuffer:     buffer,
	syscalls.FuncGetcwd:     getCwd,
	syscalls.FuncFdpath:     fdPath,

	syscalls.FuncMsgsize:      msgSize,
	syscalls.FuncMsgread:      msgRead,
	syscalls.FuncMsgwritten:   msgWritten,
	syscalls.FuncMsgcontrol:   msgControl,
	syscalls.FuncMsgsendtuple: msgSendTuple,
	syscalls.FuncMsgrecvtuple: msgRecvTuple,
	syscalls.FuncMmsgres:      mmsgRes,
	syscalls.FuncMmsglen:      mmsgLen,
	syscalls.FuncSendtuple:    sendTuple,
	syscalls.FuncRecvtuple:    recvTuple,
	syscalls.FuncDomain:       domain,
	syscalls.FuncPairfd:       pairFD,
	syscalls.FuncPairid:       pairID,
	syscalls.FuncOptname:      optionName,
	syscalls.FuncOptval:       optionValue,

	syscalls.FuncPollevents:  func(t *Tracer, th *thread, _ *syscalls.Param) { t.pollList(th, pollEvents) },
	syscalls.FuncPollrevents: func(t *Tracer, th *thread, _ *syscalls.Param) { t.pollList(th, pollRevents) },
	syscalls.FuncTimespec:    timespec,
	syscalls.FuncFutexop:     futexOp,
	syscalls.FuncLimit:       limit,
	syscalls.FuncGotlimit:    gotLimit,
	syscalls.FuncSemnum:      semNum,
	syscalls.FuncSemop:       semOp,
	syscalls.FuncSemflg:      semFlags,
	syscalls.FuncSemval:      semValue,
	syscalls.FuncPtraceaddr:  ptraceAddr,
	syscalls.FuncPtracedata:  ptraceData,

	syscalls.FuncUnsigned:    unsigned,
	syscalls.FuncMountflags:  mountFlags,
	syscalls.FuncMknodmode:   mknodMode,
	syscalls.FuncMknoddev:    mknodDev,
	syscalls.FuncBpfres:      bpfResult,
	syscalls.FuncFsbytes:     fsBytes,
	syscalls.FuncFsstring:    fsString,
	syscalls.FuncPrctlstring: prctlString,
	syscalls.FuncPrctlnumber: prctlNumber,
	syscalls.FuncKeyarg:      keyArgument,

	syscalls.FuncQuotacmd:    quotaCmd,
	syscalls.FuncQuotatype:   quotaType,
	syscalls.FuncQuotaid:     quotaID,
	syscalls.FuncQuotafmt:    quotaFormat,
	syscalls.FuncQuotafile:   quotaFile,
	syscalls.FuncDqblk:       quotaBlock,
	syscalls.FuncDqinfo:      quotaInfo,
	syscalls.FuncDqflags:     quotaFlags,
	syscalls.FuncQuotagotfmt: quotaGotFormat,

	syscalls.FuncReaddata:  readData,
	syscalls.FuncWritedata: writeData,
	syscalls.FuncOffset:    offset,

	syscalls.FuncConnecttuple: connectTuple,
	syscalls.FuncAccepttuple:  acceptTuple,
	syscalls.FuncQpct:         queueFunc((*queue).percent),
	syscalls.FuncQlen:         queueFunc(func(q *queue) uint64 { return uint64(q.len) }),
	syscalls.FuncQmax:         queueFunc(func(q *queue) uint64 { return uint64(q.max) }),
}

// empty is a string that nobody fills. Old readers take what follows a
// parameter of no length for its text: they get an empty string.
func empty(t *Tracer, _ *thread, _ *syscalls.Param) {
	if t.specs.ceiling == syscalls.CeilingNewest {
		t.enc.Empty()
	} else {
		t.enc.String(nil)
	}
}

// nowFunc is a function of the table that gives a size of the process as of
// now, which only /proc tells.
func nowFunc(f func(*procStatus) uint32) func(*Tracer, *thread, *syscalls.Param) {
	return func(t *Tracer, th *thread, p *syscalls.Param) {
		if !th.call.sizesKnown {
			th.call.sizesKnown = true
			t.sizes = procStatus{}
			if copies := th.proc.mem.copies; copies != nil {
				t.sizes.vmsize, t.sizes.vmrss, t.sizes.vmswap = copies.Sizes.VM, copies.Sizes.RSS, copies.Sizes.Swap
			} else {
				t.sizes.read(th.tid, &t.proc) // a leader that has ended has none
			}
		}
		t.enc.Int(p.Type.Size(), uint64(f(&t.sizes)))
	}
}

// numberFunc is a function of the table that gives a number.
func numberFunc(f func(*thread) uint64) func(*Tracer, *thread, *syscalls.Param) {
	return func(t *Tracer, th *thread, p *syscalls.Param) { t.enc.Int(p.Type.Size(), f(th)) }
}

// pidFunc is a function of the table that gives a process or thread id.
func pidFunc(f func(*thread) int) func(*Tracer, *thread, *syscalls.Param) {
	return numberFunc(func(th *thread) uint64 { return uint64(int64(f(th))) })
}

// textFunc is a function of the table that gives a string.
func textFunc(f func(*thread) []byte) func(*Tracer, *thread, *syscalls.Param) {
	return func(t *Tracer, th *thread, _ *syscalls.Param) { t.enc.String(f(th)) }
}

// bytesFunc is a function of the table that gives bytes.
func bytesFunc(f func(*thread) []byte) func(*Tracer, *thread, *syscalls.Param) {
	return func(t *Tracer, th *thread, _ *syscalls.Param) { t.enc.Bytes(f(th)) }
}
