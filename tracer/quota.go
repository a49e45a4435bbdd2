package tracer

import (
	"encoding/binary"

	"github.com/pdig/pdig/syscalls"
)

// Commands of quotactl, uapi/linux/quota.h and dqblk_xfs.h; the lowest byte of
// the argument is the type.
const (
	quotaOn        = 0x800002
	quotaGetFormat = 0x800004
	quotaGetInfo   = 0x800005
	quotaSetInfo   = 0x800006
	quotaGet       = 0x800007
	quotaSet       = 0x800008
	quotaXGet      = 'X'<<8 | 3
	quotaXSetLimit = 'X'<<8 | 4
)

func (c *call) quotaCommand() uint32 { return uint32(c.args[0]) >> 8 }

func quotaCmd(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(p.Type.Size(), syscalls.TransQuotactlCmd.Translate(abis[0].arch, uint64(th.call.quotaCommand())))
}

func quotaType(t *Tracer, th *thread, p *syscalls.Param) {
	t.enc.Int(p.Type.Size(), syscalls.TransQuotactlType.Translate(abis[0].arch, th.call.args[0]&0xff))
}

// quotaID is the user or group that the command is about.
func quotaID(t *Tracer, th *thread, p *syscalls.Param) {
	v := uint64(0)
	switch th.call.quotaCommand() {
	case quotaGet, quotaSet, quotaXGet, quotaXSetLimit:
		v = th.call.args[2]
	}
	t.enc.Int(p.Type.Size(), v)
}

// quotaNoFormat is PPM_QFMT_NOT_USED.
const quotaNoFormat = 1

// quotaFormat is the format with which quotas are turned on.
func quotaFormat(t *Tracer, th *thread, p *syscalls.Param) {
	v := uint64(quotaNoFormat)
	if th.call.quotaCommand() == quotaOn {
		v = syscalls.TransQuotactlFmt.Translate(abis[0].arch, th.call.args[2])
	}
	t.enc.Int(p.Type.Size(), v)
}

// quotaFile is the file with the quotas that are turned on.
func quotaFile(t *Tracer, th *thread, _ *syscalls.Param) {
	if th.call.quotaCommand() != quotaOn {
		t.string(nil, false)
		return
	}
	t.string(th.proc.mem.appendString(t.scratch[:0], th.call.args[3], maxPath-1))
}

// quotaBlock is number A of the struct if_dqblk of a command that has one.
func quotaBlock(t *Tracer, th *thread, p *syscalls.Param) {
	v := uint64(0)
	switch th.call.quotaCommand() {
	case quotaGet, quotaSet:
		v = th.quotaWord(uint64(p.Source.A))
	}
	t.enc.Int(8, v)
}

// quotaInfo is number A of the struct if_dqinfo of a command that has one.
func quotaInfo(t *Tracer, th *thread, p *syscalls.Param) {
	v := uint64(0)
	if th.hasQuotaInfo() {
		v = th.quotaWord(uint64(p.Source.A))
	}
	t.enc.Int(8, v)
}

// quotaFlags are the flags of the struct if_dqinfo, behind two numbers.
func quotaFlags(t *Tracer, th *thread, p *syscalls.Param) {
	v := uint64(0)
	if th.hasQuotaInfo() {
		v = th.quotaWord(2) & 0xff
	}
	t.enc.Int(p.Type.Size(), v)
}

// quotaGotFormat is the format that was asked for.
func quotaGotFormat(t *Tracer, th *thread, p *syscalls.Param) {
	v := uint64(quotaNoFormat)
	if th.call.ret == 0 && th.call.quotaCommand() == quotaGetFormat {
		v = syscalls.TransQuotactlFmt.Translate(abis[0].arch, th.quotaWord(0)&0xffffffff)
	}
	t.enc.Int(p.Type.Size(), v)
}

func (th *thread) hasQuotaInfo() bool {
	cmd := th.call.quotaCommand()
	return cmd == quotaGetInfo || cmd == quotaSetInfo
}

// quotaWord is 64-bit number n at argument 3 of a call that has succeeded.
func (th *thread) quotaWord(n uint64) uint64 {
	var b [8]byte
	if th.call.ret != 0 {
		return 0
	}
	th.proc.mem.read(b[:], th.call.args[3]+8*n)
	return binary.LittleEndian.Uint64(b[:])
}
