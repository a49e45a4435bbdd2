package event

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/pdig/pdig/syscalls"
)

// missing is the text of what the record should have and does not.
const missing = "<NA>"

// appendText appends the text of an argument without what it resolves to.
func (p *Printer) appendText(dst []byte, a *arg, n Names) []byte {
	if a.style == Newest && len(a.raw) == 0 {
		return append(dst, a.nothing()...)
	}
	switch a.typ {
	case syscalls.CharBuf:
		if len(a.raw) == 0 && !a.neverFilled() {
			return append(dst, missing...) // NULL, or not readable
		}
		return p.line(append(dst, cstring(a.raw)...), len(dst))
	case syscalls.FSPath, syscalls.FSRelPath:
		return appendPathText(dst, a.raw)
	case syscalls.ByteBuf:
		return p.appendData(dst, a.raw)
	case syscalls.CharBufArray, syscalls.CharBufPairs:
		return appendDots(dst, a.raw)
	case syscalls.SockAddr:
		return appendSockAddrText(dst, a.raw)
	case syscalls.SockTuple:
		return appendTupleText(dst, a.raw)
	case syscalls.FDList:
		return appendFDList(dst, a.raw, n)
	case syscalls.IPv6Addr:
		if len(a.raw) != 16 {
			return append(dst, missing...)
		}
		return appendAddr(dst, netip.AddrFrom16([16]byte(a.raw)))
	}
	if !a.number {
		return append(dst, missing...)
	}
	return a.appendNumber(dst)
}

// appendNumber appends the text of a number.
func (a *arg) appendNumber(dst []byte) []byte {
	switch a.typ {
	case syscalls.Uint8, syscalls.Uint16:
		if a.style == Newest {
			return a.appendFormat(dst, a.signed)
		}
		return a.appendFormat(dst, int64(a.unsigned))
	case syscalls.Uint32, syscalls.Uint64, // which sysdig writes as signed
		syscalls.Int8, syscalls.Int16, syscalls.Int32, syscalls.Int64:
		return a.appendFormat(dst, a.signed)
	case syscalls.Flags8, syscalls.Flags16, syscalls.Flags32,
		syscalls.EnumFlags8, syscalls.EnumFlags16, syscalls.EnumFlags32,
		syscalls.SigType, syscalls.SyscallID, syscalls.Port:
		return strconv.AppendUint(dst, a.unsigned, 10)
	case syscalls.Mode:
		return appendOctal(dst, a.unsigned)
	case syscalls.SigSet:
		return appendSignals(dst, a.unsigned)
	case syscalls.RelTime:
		if a.signed == -1 {
			return append(dst, "none"...)
		}
		return strconv.AppendUint(dst, a.unsigned, 10)
	case syscalls.AbsTime:
		at := time.Unix(int64(a.unsigned/1e9), int64(a.unsigned%1e9))
		return at.AppendFormat(dst, "2006-01-02 15:04:05.000000000")
	case syscalls.IPv4Addr:
		if len(a.raw) == 4 {
			return appendAddr(dst, netip.AddrFrom4([4]byte(a.raw)))
		}
	}
	return strconv.AppendInt(dst, a.signed, 10)
}

// appendFormat appends an integer in the parameter's format, decimal is dec.
func (a *arg) appendFormat(dst []byte, dec int64) []byte {
	switch a.param.Format {
	case syscalls.Hex:
		return appendHex(dst, a.unsigned)
	case syscalls.Oct:
		return appendOctal(dst, a.unsigned)
	}
	return strconv.AppendInt(dst, dec, 10)
}

// appendHex appends n in upper case.
func appendHex(dst []byte, n uint64) []byte {
	start := len(dst)
	dst = strconv.AppendUint(dst, n, 16)
	for i := start; i < len(dst); i++ {
		if dst[i] >= 'a' {
			dst[i] -= 'a' - 'A'
		}
	}
	return dst
}

// appendOctal appends n with a leading 0, as one digit if it is 0.
func appendOctal(dst []byte, n uint64) []byte {
	if n != 0 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, n, 8)
}

// appendFDList appends the descriptors of a poll: number, kind, events.
func appendFDList(dst, raw []byte, n Names) []byte {
	start := len(dst)
	count, _, _ := number(raw[:min(len(raw), 2)])
	for rest := raw[min(len(raw), 2):]; count > 0 && len(rest) >= 10; count-- {
		fd, signed, _ := number(rest[:8])
		_, events, _ := number(rest[8:10])
		rest = rest[10:]
		dst = appendSeparator(dst, start, ' ')
		dst = strconv.AppendUint(dst, fd, 10)
		dst = append(dst, ':', fdLetter(signed, n))
		dst = strconv.AppendUint(dst, uint64(uint32(events)), 16) // as sysdig widens them
		if len(dst) > start+maxText {
			return dst[:start+maxText]
		}
	}
	return dst
}

func fdLetter(fd int64, n Names) byte {
	if name, ok := n.FD(fd); ok {
		return name.Char()
	}
	return '?'
}
