package capture

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/syscalls"
)

// order is the byte order of a section: foreign or not.
type order bool

const foreign order = true

func (o order) u16(b []byte) uint16 {
	v := binary.NativeEndian.Uint16(b)
	if o == foreign {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (o order) u32(b []byte) uint32 {
	v := binary.NativeEndian.Uint32(b)
	if o == foreign {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (o order) u64(b []byte) uint64 {
	v := binary.NativeEndian.Uint64(b)
	if o == foreign {
		v = bits.ReverseBytes64(v)
	}
	return v
}

func (o order) putU32(b []byte, v uint32) {
	if o == foreign {
		v = bits.ReverseBytes32(v)
	}
	binary.NativeEndian.PutUint32(b, v)
}

// turn makes a foreign record one of this machine, in place. What is wrong with
// it stays so.
func turn(rec []byte) {
	for _, field := range [...][2]int{{0, 8}, {8, 16}, {offLen, offType}, {offType, offParams}, {offParams, event.HeaderSize}} {
		slices.Reverse(rec[field[0]:field[1]])
	}
	typ := int(binary.NativeEndian.Uint16(rec[offType:]))
	if typ >= syscalls.NumEvents {
		return // nobody looks at it
	}
	info := &syscalls.Events[typ]
	size := 2
	if info.Flags&syscalls.LargePayload != 0 {
		size = 4
	}
	n := uint64(binary.NativeEndian.Uint32(rec[offParams:]))
	rest := rec[event.HeaderSize:]
	if n*uint64(size) > uint64(len(rest)) {
		return
	}
	lengths, values := rest[:int(n)*size], rest[int(n)*size:]
	for i := 0; len(lengths) > 0; i++ {
		slices.Reverse(lengths[:size])
		length := uint64(binary.NativeEndian.Uint16(lengths))
		if size == 4 {
			length = uint64(binary.NativeEndian.Uint32(lengths))
		}
		length = min(length, uint64(len(values)))
		if i < len(info.Params) {
			turnValue(&info.Params[i], values[:length])
		}
		lengths, values = lengths[size:], values[length:]
	}
}

// turnValue makes a foreign value one of this machine.
func turnValue(p *syscalls.Param, b []byte) {
	switch p.Type {
	case syscalls.IPv4Addr, syscalls.IPv6Addr:
		return // both are in the order of the network
	case syscalls.SockAddr:
		turnAddr(b, 1)
	case syscalls.SockTuple:
		turnAddr(b, 2)
	case syscalls.FDList:
		turnFDs(b)
	case syscalls.Dyn:
		if len(b) > 0 && int(b[0]) < len(p.Dyn) {
			turnValue(&p.Dyn[b[0]], b[1:])
		}
	default:
		if len(b) == p.Type.Size() {
			slices.Reverse(b)
		}
	}
}

// turnAddr turns the ports of so many internet addresses, or the numbers of two
// unix sockets.
func turnAddr(b []byte, n int) {
	if len(b) == 0 {
		return
	}
	size := 0
	family, b := b[0], b[1:]
	switch family {
	case unix.AF_INET:
		size = 4
	case unix.AF_INET6:
		size = 16
	case unix.AF_UNIX:
		if n == 2 && len(b) >= 16 {
			slices.Reverse(b[:8])
			slices.Reverse(b[8:16])
		}
		return
	default:
		return
	}
	for ; n > 0 && len(b) >= size+2; n-- {
		slices.Reverse(b[size : size+2])
		b = b[size+2:]
	}
}

// turnFDs turns a list of descriptors and flags.
func turnFDs(b []byte) {
	if len(b) < 2 {
		return
	}
	slices.Reverse(b[:2])
	for b = b[2:]; len(b) >= 10; b = b[10:] {
		slices.Reverse(b[:8])
		slices.Reverse(b[8:10])
	}
}
